/* The world of one login client: the VREEnvironment, what travels to the provider, faults, time.
 *
 * A strategy's file (keycloak_admin, keycloak_dcr, generic_dcr) adds the provider's answers (commit) and the
 * operator's steps, each named after the function that it stands for. A step is what happens between two points
 * where the process can die: one request, one write. Reading a record costs no step: one process writes it, and
 * a failed write drops it (state.Record).
 *
 * Time is counted in ticks. No request is on its way for two of them (http.TIMEOUT: older ones were answered or
 * never will be), and what is two ticks old is older than that. Between saving an intent and sending its request
 * a living process lets no time pass (`hurry`); whether it still may send is asked of the lease in between.
 */
#ifndef KILLS
#define KILLS 2
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#define MOST 4  /* clients that can ever be made */

mtype = { NONE, ALIVE, DELETING }
mtype = { POST, PUT, OFF, DELETE }
mtype = { DONE, REFUSED, UNANSWERED }
mtype = { READY, BLOCKED, AMBIGUOUS }  /* what a person is told to act on */

typedef Client { bool live; bool on; byte secret; bit settings; byte rat }

/* model.ClientState. intent, stray: its times, with their ages in ticks. lost: known_lost. client: which one it names (its index + 1). secret values are numbers, 0 for none. */
typedef Record {
  bool exists; bit owner; byte client; byte pending; byte current; byte rat; bit settings;
  bool intent; byte age; bool stray; byte stray_age; byte credential; bool deleting; bool lost
}

/* mine: its sender waits for the answer. old: one tick has passed. stalled: its sender was stopped before it. */
typedef Request { mtype verb; byte client; byte secret; bit settings; byte rat; bool mine; bool old; bool stalled }

mtype cr = NONE;                 /* the VREEnvironment */
bit uid;
bit wish;                        /* its settings */
byte credential;                 /* the Secret that spec.identity names */
bool notebooks = true;             /* spec.notebooks.enabled: whether a client is wanted */
bool finalizer, inventory, forced;

Record store;                     /* the Secret in the operator's namespace */
Client client[MOST];
Request wire[2];
mtype answer, told = READY;
byte kills = KILLS, faults = FAULTS, secrets, tokens, given, given_rat, seen;
bool dead, hurry;

#define LIVE (client[0].live + client[1].live + client[2].live + client[3].live)
#define REMEMBERED (LIVE == 0 || store.exists)
#define WANTED (cr == ALIVE && notebooks)

#define SECRET (store.pending -> store.pending : store.current)  /* ClientState.secret */
#define QUIET (!(store.intent && store.age < 2) && !(store.stray && store.stray_age < 2))  /* registrar.quiet */
#define CALM (!hurry && wire[0].verb == 0 && wire[1].verb == 0)  /* people are slower than requests */
