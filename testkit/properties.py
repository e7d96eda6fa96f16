"""How many examples a property test tries, and whether they are the same every time.

`make test` is repeatable: the examples follow from the test alone, so a property holds on every machine or
none. `make campaigns ARGS=properties` explores: it draws at least `EXPLORED` fresh examples of each property.
A counterexample that it finds becomes an `@example` of its property.
"""

from collections.abc import Collection
from typing import Final

from hypothesis import HealthCheck, settings

EXPLORED: Final = 2_000
"""Examples of each property while exploring."""
REPEATABLE: Final = "repeatable"
EXPLORING: Final = "exploring"

# No deadline: the benches measure speed, and a busy machine must not fail a property.
settings.register_profile(REPEATABLE, deadline=None, derandomize=True)
settings.register_profile(EXPLORING, deadline=None, derandomize=False, max_examples=EXPLORED)
settings.load_profile(REPEATABLE)


def usually(examples: int, *, suppress: Collection[HealthCheck] = ()) -> settings:
    """Settings of a property for which `make test` tries another number of examples than 100.

    Args:
        examples: How many examples `make test` tries.
        suppress: Health checks of hypothesis that the property cannot pass.
    """
    exploring = settings.get_current_profile_name() == EXPLORING
    most = max(examples, EXPLORED) if exploring else examples
    return settings(max_examples=most, suppress_health_check=suppress)
