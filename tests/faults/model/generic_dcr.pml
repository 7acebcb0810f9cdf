/* Provider generic-dcr (targets/oidc/dcr.py): the server chooses id and secret and lists nothing. One POST for a
 * nonce (here `pending`), never a blind second one; what may have been made unseen is told to a person. */
#include "state.pml"

/* RFC 7591, 7592: each POST makes a client; the token changes with each update; a registration may be refused. */
inline commit(i) {
  at = wire[i].client;
  if
  :: wire[i].verb == POST ->
     at = (client[0].live -> (client[1].live -> (client[2].live -> 3 : 2) : 1) : 0);
     client[at].live = true; client[at].on = true;
     client[at].secret = wire[i].secret; client[at].settings = wire[i].settings; token(i);
     assert(LIVE <= 1);
     assert(REMEMBERED)
  :: wire[i].verb == POST && faults > 0 -> faults--; result = REFUSED
  :: wire[i].verb == PUT && client[at].live && client[at].rat == wire[i].rat ->
     client[at].settings = wire[i].settings; token(i)
  :: wire[i].verb == DELETE && client[at].live && client[at].rat == wire[i].rat -> gone(at); result = DONE
  :: wire[i].verb != POST && !(client[at].live && client[at].rat == wire[i].rat) -> result = REFUSED
  fi;
  at = 0
}

inline token(i) {
  tokens++; client[at].rat = tokens; result = DONE;
  if :: wire[i].mine -> given = at + 1; given_rat = tokens :: else fi
}

#include "world.pml"

inline everything_gone() { gone(0); gone(1); gone(2); gone(3) }

/* The provider's admin removes what the operator asks about, after the time of a request, and says so by a new
 * credential or by deleting the record; once they remove a client unasked. */
active proctype Admin() {
  bool unasked = true;
end:
  do
  :: atomic { told == BLOCKED -> told = READY; everything_gone() }
  :: atomic { told == AMBIGUOUS && seen == credential && store.intent && CALM ->
       told = READY; everything_gone();
       if :: credential < 2 && cr == ALIVE -> credential++ :: erase() fi }
  :: unasked -> unasked = false  /* or never: fairness must not make it happen */
  :: atomic { unasked && CALM && LIVE == 1 -> unasked = false; everything_gone() }
  od
}

#define SETTLED (store.exists && store.current != 0 && !store.intent && !store.deleting && store.owner == me && \
  store.settings == body && store.credential == paid)
#define OURS client[(store.client -> store.client - 1 : 0)]
#define READABLE (store.client != 0 && store.rat != 0 && OURS.live && OURS.rat == store.rat)
#define WORKS (store.client != 0 && OURS.live && OURS.secret == store.current)  /* probe: Verdict.GOOD */

active proctype Operator() {
  bit me, body; byte paid; bool held, removing, found, wrong, quiet;
end_boot:
  {
end:
    do ::
    look();
    claim();
    /* Clients.observe, GenericDcr.differs */
    if
    :: SETTLED ->
       ASK(found = (READABLE && OURS.settings == body) || (!READABLE && store.lost && WORKS));
       if :: found -> goto ended :: else fi
    :: !SETTLED
    fi;
    /* Clients._ensure */
    if
    :: store.exists && store.deleting -> goto remove
    :: !store.exists -> FIRST
    :: store.exists && !store.deleting ->
#ifdef DAMAGE_FORGOTTEN_BODY
       SAVE(store.owner = me; store.settings = body; store.credential = paid)
#else
       SAVE(store.owner = me;
            if :: store.current == 0 && !store.intent -> store.settings = body; store.credential = paid :: else fi)
#endif
    fi;
    /* GenericDcr.ensure */
    if :: store.client == 0 -> goto create :: else fi;
    ASK(found = READABLE);
    if
    :: found ->
       if
       :: OURS.settings != body ->
          send(PUT, store.client - 1);
          if
          :: answer == DONE -> SAVE(store.rat = given_rat)
          :: answer == REFUSED -> told = BLOCKED; goto ended
          :: answer == UNANSWERED -> goto ended
          fi
       :: else
       fi;
       SAVE(store.settings = body; store.credential = paid; store.lost = false);
       goto ended
    :: !found
    fi;
    ASK(found = WORKS);
    if
    :: found && store.settings != body -> told = BLOCKED; goto ended  /* same_client: it can't be changed */
    :: found && store.settings == body -> SAVE(store.lost = true; store.credential = paid); goto ended
    :: !found -> SAVE(store.client = 0; store.current = 0; store.rat = 0; store.pending = 0)
    fi;

create: /* GenericDcr._create */
#ifndef DAMAGE_BLIND_RETRY
    if :: store.intent && store.credential == paid -> told = AMBIGUOUS; seen = paid; goto ended :: else fi;
#endif
#ifndef DAMAGE_NO_INTENT
    SAVE(secrets++; store.pending = secrets; store.intent = true; store.settings = body; store.credential = paid;
         hurry = true);
#else
    SAVE(secrets++; store.pending = secrets; store.settings = body; store.credential = paid);
#endif
    send(POST, 0);
    if
    :: answer == DONE ->
       SAVE(store.client = given; store.current = SECRET; store.rat = given_rat; store.intent = false);
       SAVE(store.settings = body; store.credential = paid; store.lost = false)
    :: answer == REFUSED -> SAVE(store.intent = false)
    :: answer == UNANSWERED -> told = AMBIGUOUS; seen = paid
    fi;
    goto ended;

remove: /* Clients.delete, Clients._remove, GenericDcr.remove */
    if
    :: !store.exists -> removed(); goto ended
    :: store.exists && removing && store.owner != me -> removed(); goto ended  /* OWNED_BY_OTHER */
    :: else
    fi;
    SAVE(store.deleting = true);
    if
    :: store.client == 0 && store.intent -> told = AMBIGUOUS; seen = paid; goto ended
    :: store.client == 0 && !store.intent
    :: store.client != 0 ->
#ifdef DAMAGE_FORGET_FIRST
       forget();
#endif
       found = true;
       if
       :: store.rat != 0 ->
          send(DELETE, store.client - 1);
          if
          :: answer == DONE -> found = false
          :: answer == REFUSED
          :: answer == UNANSWERED -> goto ended
          fi
       :: store.rat == 0
       fi;
       if
       :: found -> ASK(found = WORKS); if :: found -> told = BLOCKED; goto ended :: else fi
       :: else
       fi
    fi;
    forget();
    if :: removing -> removed() :: else fi;

ended:
    rest()
  od } unless { dead };
  atomic { rest(); dead = false; goto end_boot }
}

#define AS_WANTED(k) (client[k].live && client[k].secret == store.current && client[k].settings == wish)
#define GOOD (LIVE == 1 && store.exists && (AS_WANTED(0) || AS_WANTED(1) || AS_WANTED(2) || AS_WANTED(3)))
#define NOTHING (LIVE == 0 && !store.exists)
ltl converges { <>[] ((WANTED && GOOD) || (cr == ALIVE && !notebooks && NOTHING) || (cr == NONE && (NOTHING || forced))) }
