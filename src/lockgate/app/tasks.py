"""Tasks as clients know them: handles that only their own principal can use (SEP-2663)."""

from lockgate.app.answers import Answer, finished, outer, refused, released
from lockgate.app.clients import Waiting
from lockgate.app.held_task import held_task
from lockgate.app.turn import Turn
from lockgate.model import Call, Reply
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Refused
from lockgate.pipeline.sessions import TaskRef, Tasks
from lockgate.pipeline.tasks import Handed, follow
from lockgate.wire.capabilities import takes_tasks
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.tasks import UPDATE, check_update, not_declared, with_id


class TaskDesk:
    """Hands out handles, and serves who comes with one. Keeps nothing that another worker needs."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self._handed = Handed()

    def handle(self, reply: Reply, caller: Caller) -> str:
        """The outer id of the task that a tool's call became."""
        call: Call = reply.call
        if call.tool is None:
            raise WireRefusal("pipeline.failed")
        return self.tasks.seal(
            TaskRef(
                caller.principal.holder,
                caller.endpoint.path,
                call.upstream.name,
                call.upstream.fingerprint,
                call.tool.name,
                reply.decoded["taskId"],
            )
        )

    async def serve(self, turn: Turn, resolver: Resolver) -> Answer:
        """``tasks/get``, ``tasks/update`` or ``tasks/cancel``.

        Raises ``WireRefusal`` ``task.not-declared``, ``task.unknown`` or with a ``resolve.``
        reason, and as ``run`` does.
        """
        request, caller, gate = turn.request, turn.caller, turn.gate
        if not takes_tasks(turn.asks):
            raise not_declared()
        if request.method == UPDATE:
            check_update(request.params)
        found = self.tasks.open(request.name, caller.principal, caller.endpoint.path)
        ref = await held_task(turn, found) if found.held else found
        if isinstance(ref, Answer):
            return ref
        call = await resolver.task_call(request, caller, ref, gate)
        answer = await follow(call, gate, Waiting(request, turn.put), self._handed)
        if isinstance(answer, Refused):
            return refused(request, answer)
        reply = answer.said
        if not isinstance(reply, Reply) or reply.is_error:
            return released(request, answer, caller.endpoint)
        return finished(request, with_id(outer(reply, caller.endpoint), request.name))
