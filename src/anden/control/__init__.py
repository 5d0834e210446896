"""When and whether: one client's environments on one engine. Synchronous; the clock is an argument.

What `web` builds on (anden.control.environment.Control, one for each client and engine):

    Control(engine, images, store, clock, runner, knock=None)
        runner: anden.control.runner.ThreadRunner() in the daemon, InlineRunner() on the simulated engine.
        knock:  (url) -> HTTP status or None; when given, `up` ends with the gateway's real answers.
    control.begin()            look after every environment that has a target (the daemon calls it once)
    control.close()            end its threads; nothing that runs is touched
    control.needed() -> bool   an environment has a target, or a command is running: a daemon must stay
    control.busy() -> tuple[Command, ...]       mutating commands in flight

    Commands. Each is a generator of `Event | None`: None (at least once a second while nothing is new) is only a place
    where the generator can be closed. Closing it cancels the command: recorded, and the target stays as acknowledged.
    The last value is an Event of kind END; its outcome is in the words of model.command.Outcome, its data is the
    StatusReport as data (None when it could not be made). What is refused before anything was said is raised as
    Problems at the first `next`; later it comes as PROBLEM events before END. A QUESTION is followed by END `refused`:
    ask again with one of its choices.

    control.up(at, who, gateway=None, deployed="ask", adopt=False, manners=None, approved=None)
    control.deploy(at, who, service, image)
    control.scale(at, who, service, level)
    control.rollback(at, who)
    control.restart(at, who, service=None)
    control.down(at, who)

    Views. They raise Problems.

    control.plan(at, prepare=False) -> PlanReport      prepare: for approval; see model.approval
    control.status(at, drift=False) -> StatusReport      drift: see first what was changed by hand
    control.reach(at, caller=None, callee=None, port=None, live=False) -> ReachReport
    control.refused(at, since_s=None) -> RefusedReport
    control.prove_egress(at) -> EgressReport
    control.commands(at, most=50) -> tuple[Command, ...]      newest first; of all environments when at names none
    control.logs(at, service, lines, follow, since) -> Iterator[LogLine | None]      None: a heartbeat
    control.exec(at, who, instance, argv, stdin, timeout_s) -> Exec           instance: or a service
    control.attended(the same) -> Iterator[Exec | None]                        closed when the caller leaves

    at: anden.control.asked.Asked(client, environment, folder, manifest, file, overrides)
    who: anden.control.access.named(...) of what `web` knows of the peer.
"""
