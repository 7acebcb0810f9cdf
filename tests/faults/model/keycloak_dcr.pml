/* Provider keycloak-dcr (targets/oidc/keycloak_dcr.py): id and secret are ours, the registration access token is
 * only in an answer. Where that is lost the client works and only the realm's admin can change or remove it. */
#include "state.pml"

/* Keycloak: a clientId is given once; the token changes with each update; a registration may be refused. */
inline commit(i) {
  if
  :: wire[i].verb == POST && !client[0].live ->
     client[0].live = true; client[0].on = true;
     client[0].secret = wire[i].secret; client[0].settings = wire[i].settings; token(i);
     assert(REMEMBERED)
  :: wire[i].verb == POST && client[0].live -> result = REFUSED
  :: wire[i].verb == POST && !client[0].live && faults > 0 -> faults--; result = REFUSED  /* the IAT is used up */
  :: wire[i].verb == PUT && client[0].live && client[0].rat == wire[i].rat ->
     client[0].settings = wire[i].settings; token(i)
  :: wire[i].verb == DELETE && client[0].live && client[0].rat == wire[i].rat -> gone(0); result = DONE
  :: wire[i].verb != POST && !(client[0].live && client[0].rat == wire[i].rat) -> result = REFUSED
  fi
}

inline token(i) {
  tokens++; client[0].rat = tokens; result = DONE;
  if :: wire[i].mine -> given = tokens :: else fi
}

#include "world.pml"

/* The realm's admin removes the client: once unasked (slower than any request), and whenever the operator asks for it. */
active proctype Admin() {
  bool unasked = true;
end:
  do
  :: atomic { told == BLOCKED -> told = READY; gone(0) }
  :: unasked -> unasked = false  /* or never: fairness must not make it happen */
  :: atomic { unasked && CALM && client[0].live -> unasked = false; gone(0) }
  od
}

#define SETTLED (store.exists && store.current != 0 && store.pending == 0 && !store.intent && !store.deleting && \
  store.owner == me && store.settings == body)
#define READABLE (store.rat != 0 && client[0].live && client[0].rat == store.rat)
#define WORKS (client[0].live && client[0].secret == SECRET)  /* probe: Verdict.GOOD */

active proctype Operator() {
  bit me, body; byte paid; bool held, removing, found, wrong, quiet;
end_boot:
  {
end:
    do ::
    look();
    claim();
    /* Clients.observe, KeycloakDcr.differs */
    if
    :: SETTLED ->
       ASK(found = (READABLE && client[0].settings == body) || (!READABLE && store.lost && WORKS));
       if :: found -> goto ended :: else fi
    :: !SETTLED
    fi;
    /* Clients._ensure */
    if
    :: store.exists && store.deleting -> goto remove
    :: !store.exists -> FIRST
    :: store.exists && !store.deleting ->
#ifdef DAMAGE_FORGOTTEN_BODY
       SAVE(store.owner = me; if :: store.current == 0 -> store.settings = body :: else fi)
#else
       SAVE(store.owner = me;
            if :: store.current == 0 && !store.intent && !store.stray -> store.settings = body :: else fi)
#endif
    fi;
    /* KeycloakDcr.ensure */
    if :: SECRET == 0 -> goto create :: else fi;
    quiet = QUIET;  /* before the reading */
    ASK(found = READABLE);
    if
    :: found ->
       if
       :: client[0].settings != body ->
          send(PUT, 0);
          if
          :: answer == DONE -> SAVE(store.rat = given)
          :: answer == REFUSED -> told = BLOCKED; goto ended
          :: answer == UNANSWERED -> goto ended
          fi
       :: else
       fi;
       confirm(true);
       SAVE(store.settings = body; store.lost = false);
       goto ended
    :: !found
    fi;
    ASK(found = WORKS; wrong = client[0].live && !WORKS);
    if
    :: found && store.settings != body -> told = BLOCKED; goto ended  /* same_client: it can't be changed */
    :: found && store.settings == body ->                             /* _adopt_without_token */
       confirm(true);
       SAVE(store.lost = true);
       goto ended
    :: wrong -> told = BLOCKED; goto ended                            /* Verdict.WRONG_SECRET */
    :: !found && !wrong                                               /* Verdict.REFUSED */
    fi;
#ifndef DAMAGE_HASTE
    if :: !quiet && store.settings != body -> goto ended :: else fi;  /* the earlier one may still arrive */
#endif

create: /* KeycloakDcr._create */
    begin();
    send(POST, 0);
    if
    :: answer == DONE ->
       SAVE(store.rat = given; store.current = SECRET; store.pending = 0; store.intent = false; store.age = 0);
       SAVE(store.settings = body; store.lost = false)
    :: answer == REFUSED -> SAVE(store.intent = false; store.age = 0)
    :: answer == UNANSWERED
    fi;
    goto ended;

remove: /* Clients.delete, Clients._remove, KeycloakDcr.remove */
    if
    :: !store.exists -> removed(); goto ended
    :: store.exists && removing && store.owner != me -> removed(); goto ended  /* OWNED_BY_OTHER */
    :: else
    fi;
    SAVE(store.deleting = true);
    if
    :: store.client == 0
    :: store.client != 0 ->
       quiet = QUIET;  /* before the reading */
#ifdef DAMAGE_BLIND_REMOVAL
       quiet = true;
#endif
       if
       :: store.rat != 0 -> send(DELETE, 0); if :: answer == UNANSWERED -> goto ended :: else fi
       :: store.rat == 0
       fi;
       ASK(found = client[0].live);
       if
       :: found -> told = BLOCKED; goto ended
       :: !found && !quiet -> goto ended
       :: !found && quiet
       fi
    fi;
    forget();
    if :: removing -> removed() :: else fi;

ended:
    rest()
  od } unless { dead };
  atomic { rest(); dead = false; goto end_boot }
}

#define GOOD (LIVE == 1 && store.exists && store.current == client[0].secret && client[0].settings == wish)
#define NOTHING (LIVE == 0 && !store.exists)
ltl converges { <>[] ((WANTED && GOOD) || (cr == ALIVE && !notebooks && NOTHING) || (cr == NONE && (NOTHING || forced))) }
