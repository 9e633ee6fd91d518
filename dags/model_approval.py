"""The approval of a challenger as an Airflow operator: one question to people per version."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param


class ModelApproval(ApprovalOperator):
    """Asks the allowed approvers, and carries out their answer in the registry.

    ``question`` is a :class:`models_ml.run.approval.Question` as plain data. A refused answer (no
    reason) fails the try, and the next try asks again. Both answers end well: what follows looks at
    ``promoted`` of what is returned.
    """

    template_fields = ("subject", "body", "question")

    def __init__(self, *, question: dict[str, Any] | None = None, **arguments: Any) -> None:
        reason = Param("", type="string", title="Reason 理由", description="Why; kept in the audit trail.")
        super().__init__(subject="Approve?", params={"reason": reason}, **arguments)
        self.question = question

    def execute(self, context: Any) -> Any:
        question = dict(self.question or {})
        self.subject, self.body = question["subject"], question["body"]
        self.assigned_users = [{"id": person, "name": person} for person in question["approvers"]]
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        from models_ml.run import approval

        # Not ApprovalOperator's: it would skip what follows where one of several versions is rejected.
        answer = HITLOperator.execute_complete(self, context, event)
        question = dict(self.question or {})
        return approval.decide(
            question["name"],
            question["version"],
            option=answer["chosen_options"][0],
            actor=answer["responded_by_user"]["id"],
            reason=str(answer["params_input"].get("reason", "")),
        )
