"""A bot that acts in the name of a person, with the roles of `docs/authority.md`."""

from collections.abc import Iterator
from http.client import CREATED, FORBIDDEN
from typing import Any, Final

import pytest
import requests
import yaml

from agentrollouts.api.people.action import ActionType
from sandbox.stack import Stack
from tests.contract.authority.cast import DANA, LEE, RBAC, WHERE, an_action
from tests.contract.chart.policies import remove, until
from tests.docs.pages import blocks, page

NAME: Final = "chat-bot"
GROUP: Final = "/apis/agentrollouts.dev/v1alpha1"
SUBJECT: Final = {"kind": "ServiceAccount", "name": NAME, "namespace": WHERE}


class Bot:
    """Requests with the token of the account, in the name of someone."""

    def __init__(self, stack: Stack) -> None:
        kubeconfig = yaml.safe_load(stack.account_kubeconfig(WHERE, NAME).read_text())
        self._url = f"{stack.api_url}{GROUP}/namespaces/{WHERE}/agentrolloutactions"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(stack.ca_file)
        self._session.headers["Authorization"] = f"Bearer {kubeconfig['users'][0]['user']['token']}"

    def create(self, action: dict[str, Any], **who: str) -> requests.Response:
        """Create an action, without storing it."""
        return self._session.post(self._url, params={"dryRun": "All"}, json=action, headers=who, timeout=120)

    def read(self, **who: str) -> requests.Response:
        """List actions."""
        return self._session.get(self._url, headers=who, timeout=120)


APPROVAL: Final = an_action(ActionType.APPROVE, None, phase="canary-5")


def bound(role: dict[str, Any]) -> dict[str, Any]:
    """The binding of a role to the account."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{role['kind']}Binding",
        "metadata": role["metadata"],
        "roleRef": {"apiGroup": RBAC, "kind": role["kind"], "name": NAME},
        "subjects": [SUBJECT],
    }


@pytest.fixture
def bot(world: Stack) -> Iterator[Bot]:
    """It has the roles of the page, bound to its account."""
    [text] = [text for text in blocks(page("authority.md"), "yaml") if text.startswith("# chat-bot.yaml")]
    account, cluster, local = yaml.safe_load_all(text)
    for each in (account, local):
        each["metadata"]["namespace"] = WHERE
    objects = [account, cluster, local, bound(cluster), bound(local)]
    world.apply(objects)
    bot = Bot(world)
    as_lee = {"Impersonate-User": LEE}
    until("it speaks for lee", lambda: bot.create(APPROVAL, **as_lee).status_code == CREATED)
    yield bot
    remove(world, objects)


def test_it_acts_with_the_rights_of_the_person_alone(bot: Bot) -> None:
    """Lee may approve, and is named; dana may not, and without a name the bot may nothing."""
    as_lee = bot.create(APPROVAL, **{"Impersonate-User": LEE})

    assert (as_lee.status_code, as_lee.json()["spec"]["requestedBy"]) == (CREATED, LEE)
    for who in ({"Impersonate-User": DANA}, {}):
        assert bot.create(APPROVAL, **who).status_code == FORBIDDEN


def test_it_is_in_no_group_and_reads_nothing(bot: Bot) -> None:
    """Neither an administrator's rights nor those of the person to read are within its reach."""
    hold = an_action(ActionType.HOLD, None)

    as_master = bot.create(hold, **{"Impersonate-User": LEE, "Impersonate-Group": "system:masters"})

    assert as_master.status_code == FORBIDDEN
    assert bot.read(**{"Impersonate-User": LEE}).status_code == FORBIDDEN
