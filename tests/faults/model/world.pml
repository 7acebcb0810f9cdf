/* What happens in the world: requests travel, time passes, processes die, people decide. */

/* Record.update, compare-and-set: done, not done, or done with the answer lost. The latter two end the pass, as
 * does a record that a person deleted meanwhile. */
#define SAVE(what) atomic { if \
  :: store.exists -> what \
  :: store.exists && faults > 0 -> faults--; goto ended \
  :: store.exists && faults > 0 -> faults--; what; goto ended \
  :: !store.exists -> goto ended \
  fi }

/* Record.write of a first state. */
#define FIRST atomic { if \
  :: !store.exists -> store.exists = true; store.owner = me; store.settings = body; store.credential = paid \
  :: store.exists -> goto ended \
  fi }

/* Something asked of the provider without changing it: no answer ends the pass. */
#define ASK(what) atomic { if \
  :: what \
  :: faults > 0 -> faults--; goto ended \
  fi }

/* IssuerHttp.request for what changes something; the answer is DONE, REFUSED or UNANSWERED. */
inline send(what, to) {
  atomic {
    if
    :: wire[0].verb == 0 -> put(0, what, to)
    :: wire[0].verb != 0 && wire[1].verb == 0 -> put(1, what, to)
    fi
  }
  answer != 0;
}

inline put(i, what, to) {
  wire[i].verb = what; wire[i].client = to; wire[i].mine = true;
  wire[i].secret = SECRET; wire[i].settings = body; wire[i].rat = store.rat;
  answer = 0; hurry = false
}

inline answered(i, how) { if :: wire[i].mine -> wire[i].mine = false; answer = how :: else fi }

inline clear(i) {
  wire[i].verb = 0; wire[i].client = 0; wire[i].secret = 0; wire[i].settings = 0; wire[i].rat = 0;
  wire[i].mine = false; wire[i].old = false; wire[i].stalled = false
}

inline arrive(i) {
  if
  :: commit(i); answered(i, result); clear(i)
  :: faults > 0 -> faults--; commit(i); answered(i, UNANSWERED); clear(i)  /* done, the answer lost */
  :: faults > 0 -> faults--; answered(i, UNANSWERED); clear(i)                     /* lost on the way */
  :: faults > 0 && wire[i].mine -> faults--; answered(i, UNANSWERED)               /* slow: it arrives later */
  fi;
  result = 0
}

/* Without our finalizer it is gone at once. By force: the finalizer is taken off, which nobody should do. */
inline deletes() {
  atomic {
    if
    :: finalizer -> cr = DELETING
    :: !finalizer -> vanish()
#ifdef FORCE
    :: finalizer -> forced = true; vanish()
#endif
    fi
  }
}

inline vanish() { cr = NONE; finalizer = false; inventory = false }

/* reconcile: what the watch has shown. Blocks while there is nothing to do. */
inline look() {
  atomic {
    if
    :: WANTED -> body = wish; me = uid; paid = credential; held = finalizer && inventory
    :: cr == DELETING || (cr == ALIVE && !notebooks && inventory) -> removing = true; me = uid; paid = credential; goto remove
    fi
  }
}

/* Report.ensure_finalizer, Report.save: before the first thing is made. Both fail for an object of another uid. */
inline claim() {
  if
  :: held
  :: !held ->
     atomic { if :: cr == ALIVE && uid == me -> finalizer = true :: else -> goto ended fi };
     atomic { if :: cr != NONE && uid == me -> inventory = true :: else -> goto ended fi }
  fi
}

/* The end of a pass, or of the process: nothing of it stays. */
inline rest() {
  atomic {
    me = 0; body = 0; paid = 0; given = 0; given_rat = 0; answer = 0;
    held = false; found = false; wrong = false; quiet = false; removing = false; hurry = false
  }
}

/* _tear_down, _prune: the client is gone for certain. */
inline removed() {
  atomic {
    if
    :: uid == me && cr == DELETING -> vanish()
    :: uid == me && cr == ALIVE -> inventory = false
    :: else
    fi
  }
}

/* registrar.begin: before a creation is sent. */
inline begin() {
#ifdef DAMAGE_OLD_INTENT
  SAVE(
    if :: SECRET == 0 -> secrets++; store.pending = secrets; store.intent = true; store.age = 0 :: else fi;
    store.client = 1; store.settings = body; hurry = true)
#else
  SAVE(
    store.client = 1; store.settings = body;
    if :: SECRET == 0 -> secrets++; store.pending = secrets :: else fi;
    if :: store.intent -> store.stray = true; store.stray_age = 0 :: else fi;
    store.intent = true; store.age = 0; hurry = true)
#endif
}

/* registrar.confirm: the provider has it. Found by a reading: the creation's own answer may not have come. */
inline confirm(by_reading) {
  SAVE(
    store.current = SECRET; store.pending = 0;
    if :: by_reading && store.intent -> store.stray = true; store.stray_age = store.age :: else fi;
    store.intent = false; store.age = 0)
}

inline erase() {
  store.exists = false; store.owner = 0; store.client = 0; store.pending = 0; store.current = 0; store.rat = 0;
  store.settings = 0; store.intent = false; store.age = 0; store.stray = false; store.stray_age = 0;
  store.credential = 0; store.deleting = false; store.lost = false
}

/* Record.forget */
inline forget() { atomic { erase(); assert(REMEMBERED) } }

inline gone(c) {
  client[c].live = false; client[c].on = false; client[c].secret = 0; client[c].settings = 0; client[c].rat = 0
}

active [2] proctype Network() {  /* one for each request: their numbers are 0 and 1 */
  mtype result; byte at;
end:
  do
  :: atomic { wire[_pid].verb != 0 -> arrive(_pid) }
  od
}

active proctype Clock() {
end:
  do
  :: atomic {
       !hurry && !wire[0].old && !wire[1].old && (
         (wire[0].verb != 0 && !wire[0].stalled) || (wire[1].verb != 0 && !wire[1].stalled) ||
         !QUIET) ->
       wire[0].old = (wire[0].verb != 0 && !wire[0].stalled);
       wire[1].old = (wire[1].verb != 0 && !wire[1].stalled);
       if :: store.intent && store.age < 2 -> store.age++ :: else fi;
       if :: store.stray && store.stray_age < 2 -> store.stray_age++ :: else fi
     }
  od
}

/* kill -9, or the Lease gone to another process. What was sent stays on its way. */
active proctype Killer() {
end:
  do
  :: atomic { kills > 0 && !dead ->
       kills--; dead = true; hurry = false; answer = 0; wire[0].mine = false; wire[1].mine = false }
#ifdef STALLS
  /* the process is stopped just before it sends, loses its Lease, and is let go much later */
  :: atomic { kills > 0 && !dead && (wire[0].mine && !wire[0].old) ->
       kills--; dead = true; answer = 0; wire[0].mine = false; wire[0].stalled = true }
#endif
  od
}

/* A person: makes it, changes it, switches the notebooks off and on, deletes it, makes it again. */
active proctype User() {
  cr = ALIVE;
  do
  :: break
  :: wish == 0 && cr == ALIVE -> wish = 1
  :: atomic { cr == ALIVE && notebooks && uid == 0 -> notebooks = false }
  :: !notebooks -> notebooks = true; break
  od;
  if
  :: goto stays
  :: deletes()
  fi;
  cr == NONE;
  if
  :: goto stays
  :: atomic { uid = 1; notebooks = true; cr = ALIVE }
  fi;
  if
  :: goto stays
  :: deletes()
  fi;
stays:
  skip
}
