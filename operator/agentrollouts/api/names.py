"""The API group, and the labels and annotations that the operator reads or writes."""

from typing import Final

GROUP: Final = "agentrollouts.dev"


VERSION: Final = "v1alpha1"


API_VERSION: Final = "agentrollouts.dev/v1alpha1"


FIELD_MANAGER: Final = "agentrollouts"


LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"


LABEL_AGENT: Final = f"{GROUP}/agent"


LABEL_RELEASE: Final = f"{GROUP}/release"


LABEL_ROLLOUT: Final = f"{GROUP}/rollout"


LABEL_TEMPLATE: Final = f"{GROUP}/template"


ANNOTATION_DETOUR: Final = f"{GROUP}/detour"


ANNOTATION_DETOUR_MESSAGE: Final = f"{GROUP}/detour-message"


LABEL_HOOK: Final = f"{GROUP}/hook"


ANNOTATION_HOOK_OF: Final = f"{GROUP}/hook-of"


ANNOTATION_HOOK_KEY: Final = f"{GROUP}/hook-key"


ANNOTATION_RELEASED_BY: Final = f"{GROUP}/released-by"
"""On a rollout: who last changed `spec.releaseRef`. The API server writes it, if the chart says so."""

ANNOTATION_ROLLED_BACK: Final = f"{GROUP}/rolled-back"


ANNOTATION_ROLLED_BACK_UID: Final = f"{GROUP}/rolled-back-uid"


ANNOTATION_ROLLBACK_TRIGGER: Final = f"{GROUP}/rollback-trigger"


ANNOTATION_ROLLBACK_MESSAGE: Final = f"{GROUP}/rollback-message"
