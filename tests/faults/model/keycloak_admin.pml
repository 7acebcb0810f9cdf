/* Provider keycloak-admin (targets/oidc/keycloak_admin.py): id and secret are ours, saved before the first request. */
#include "state.pml"

/* Keycloak: a clientId is given once. */
inline commit(i) {
  at = wire[i].client;
  if
  :: wire[i].verb == POST ->
     if
     :: client[at].live -> result = REFUSED
     :: else ->
        client[at].live = true; client[at].on = true;
        client[at].secret = wire[i].secret; client[at].settings = wire[i].settings;
        result = DONE
     fi;
     assert(LIVE <= 1);
     assert(REMEMBERED)
  :: wire[i].verb != POST && !client[at].live -> result = REFUSED
  :: wire[i].verb == PUT && client[at].live ->
     client[at].secret = wire[i].secret; client[at].settings = wire[i].settings;
     result = DONE
  :: wire[i].verb == OFF && client[at].live -> client[at].on = false; result = DONE
  :: wire[i].verb == DELETE && client[at].live -> gone(at); result = DONE
  fi;
  at = 0
}

#include "world.pml"

/* A realm's admin removes the client, once. */
active proctype Admin() {
  if
  :: atomic { client[0].live -> gone(0) }
  :: skip
  fi
}

#define SETTLED (store.exists && store.current != 0 && store.pending == 0 && !store.intent && !store.deleting && \
  store.owner == me && store.settings == wish)
#define DIFFERS (client[0].secret != SECRET || client[0].settings != body)

active proctype Operator() {
  bit me, body; byte paid; bool held, removing, found, wrong, quiet;
end_boot:
  {
end:
    do ::
    look();
    claim();
    /* Clients.observe, KeycloakAdmin.differs */
    if
    :: SETTLED -> ASK(found = client[0].live && !DIFFERS); if :: found -> goto ended :: else fi
    :: !SETTLED
    fi;
    /* Clients._ensure */
    if
    :: store.exists && store.deleting -> goto remove
    :: !store.exists -> FIRST
    :: store.exists && !store.deleting ->
       SAVE(store.owner = me; if :: store.current == 0 -> store.settings = body :: else fi)
    fi;
    /* KeycloakAdmin.ensure */
    ASK(found = client[0].live);  /* _Api.find, after a login: time passes */
    if
    :: !found ->
       begin();
       send(POST, 0);
       if :: answer == UNANSWERED -> goto ended :: else fi;
       ASK(found = client[0].live);
       if :: !found -> goto ended :: else fi;
       found = false
    :: found && SECRET == 0 -> SAVE(secrets++; store.client = 1; store.pending = secrets)
    :: else
    fi;
    if
    :: DIFFERS ->
       send(PUT, 0);
       if :: answer == UNANSWERED -> goto ended :: else fi
    :: else
    fi;
    confirm(found);
    SAVE(store.settings = body);
    goto ended;

remove: /* Clients.delete, Clients._remove, KeycloakAdmin.remove */
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
       ASK(found = client[0].live);
       if
       :: found ->
#ifndef DAMAGE_UNMARKED_REMOVAL
          SAVE(store.stray = true; store.stray_age = 0; hurry = true);
#endif
          send(OFF, 0);
          if :: answer == UNANSWERED -> goto ended :: else fi;
          send(DELETE, 0);
          if :: answer == UNANSWERED -> goto ended :: else fi;
          ASK(found = client[0].live);
          if :: found -> goto ended :: else fi
       :: else
       fi;
#ifdef DAMAGE_LATE_LOOK
       quiet = QUIET;
#endif
       if :: !quiet -> goto ended :: else fi
    fi;
    forget();
    if :: removing -> removed() :: else fi;

ended:
    rest()
  od } unless { dead };
  atomic { rest(); dead = false; goto end_boot }
}

#define GOOD (LIVE == 1 && client[0].on && store.exists && store.current == client[0].secret && client[0].settings == wish)
#define NOTHING (LIVE == 0 && !store.exists)
ltl converges { <>[] ((WANTED && GOOD) || (cr == ALIVE && !notebooks && NOTHING) || (cr == NONE && (NOTHING || forced))) }
