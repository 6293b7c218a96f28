"""The known keys of Amazon's answers are the members of Amazon's own models."""

from __future__ import annotations

import pytest
from botocore.session import Session

from detector.domain import vendor_keys


@pytest.mark.parametrize(
    ("service", "shape", "keys"),
    [
        ("ecs", "Service", vendor_keys.ECS_SERVICE_KEYS),
        ("ecs", "Deployment", vendor_keys.ECS_DEPLOYMENT_KEYS),
        ("ecs", "ServiceEvent", vendor_keys.ECS_EVENT_KEYS),
        ("ecs", "Task", vendor_keys.ECS_TASK_KEYS),
        ("ecs", "Container", vendor_keys.ECS_CONTAINER_KEYS),
        ("ecs", "Failure", vendor_keys.ECS_FAILURE_KEYS),
        ("logs", "FilterLogEventsResponse", vendor_keys.FILTER_LOG_EVENTS_ANSWER),
        ("logs", "FilteredLogEvent", vendor_keys.LOG_EVENT_KEYS),
    ],
)
def test_every_member_of_the_model_is_known(service, shape, keys):
    model = Session().get_service_model(service)
    assert set(model.shape_for(shape).members) - keys == set()
