"""What an account may cost a month before somebody hears of it, and the topic on which they do."""

from anden.engines.aws.render.account import NOTICES_KEY, Account
from anden.engines.aws.render.statement import allow, document, only_tls
from anden.engines.aws.render.template import Json, Part, att, ref, resource, tags

ACTUAL_PERCENT, FORECAST_PERCENT = (50, 80, 100), (100,)
"""Percent of the budget: spent, and forecast for the whole month."""


def part(account: Account) -> Part:
    """Topic, its policy, a subscription by mail, and the budget; publishes the topic's ARN."""
    settings = account.settings
    topic = resource("AWS::SNS::Topic", TopicName=f"anden-{account.client}-notices", KmsMasterKeyId=ref("StateKey"))
    ours = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    policy = document(
        allow("Services", ["sns:Publish"], ref("Notices"), ours,
              service=["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]),
        only_tls(ref("Notices"), "sns:Publish"),
    )  # fmt: skip
    budget = resource(
        "AWS::Budgets::Budget", after=["NoticesPolicy"],
        Budget={
            "BudgetName": f"anden-{account.client}", "BudgetType": "COST", "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": ref("BudgetUsd"), "Unit": "USD"},
        },
        NotificationsWithSubscribers=[
            *(_notice("ACTUAL", percent) for percent in ACTUAL_PERCENT),
            *(_notice("FORECASTED", percent) for percent in FORECAST_PERCENT),
        ],
        ResourceTags=tags(Name=f"anden-{account.client}"),
    )  # fmt: skip
    mail = resource("AWS::SNS::Subscription", TopicArn=ref("Notices"), Protocol="email", Endpoint=ref("Email"))
    parameters: dict[str, Json] = {
        "BudgetUsd": {"Type": "Number", "MinValue": 1, "Description": "What the account may cost a month, in USD"},
        "Email": {"Type": "String", "AllowedPattern": "[^@ ]+@[^@ ]+", "Description": "Who hears of its cost"},
    }
    if settings.budget_usd is not None:
        parameters["BudgetUsd"]["Default"] = settings.budget_usd
    if settings.email is not None:
        parameters["Email"]["Default"] = settings.email
    resources = {
        "Notices": topic, "Budget": budget, "NoticesMail": mail,
        "NoticesPolicy": resource("AWS::SNS::TopicPolicy", Topics=[ref("Notices")], PolicyDocument=policy),
    }  # fmt: skip
    return Part(resources, {NOTICES_KEY: att("Notices", "TopicArn")}, parameters)


def _notice(kind: str, percent: int) -> Json:
    return {
        "Notification": {
            "NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": percent,
            "ThresholdType": "PERCENTAGE",
        },
        "Subscribers": [{"SubscriptionType": "SNS", "Address": ref("Notices")}],
    }  # fmt: skip
