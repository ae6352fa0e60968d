"""Which names, labels, annotations and environment variables does the Admin API take?"""

from __future__ import annotations

import pytest

from tests.conformance.check import check
from tests.conformance.cloud_run.services import Services, refused

_CREATE = "google.cloud.run.v2 CreateServiceRequest.service_id"
_SERVICE = "google.cloud.run.v2 Service"
_LABELS = "cloud.google.com/resource-manager/docs/labels-overview, Requirements for labels"
_ENV = "google.cloud.run.v2 EnvVar"
_PLATFORM = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev")
_REVISION = "github.com/hashicorp/terraform-provider-google issue 5898; run/docs/deploying, Revision name"


@check("RUN-201", source=_CREATE)
@pytest.mark.parametrize("bad", ["1digit", "-hyphen", "ends-", ""])
def test_a_service_id_begins_with_a_letter_and_does_not_end_with_a_hyphen(
    services: Services, bad: str
) -> None:
    """A service id that begins with something else than a letter, or ends with a hyphen, is INVALID_ARGUMENT."""
    assert services.refuses(bad, services.draft()).code == "INVALID_ARGUMENT"


@check("RUN-202", source=_CREATE)
def test_a_service_id_has_fewer_than_fifty_characters(services: Services) -> None:
    """A service id of 49 characters is accepted, one of 50 is INVALID_ARGUMENT."""
    assert services.accepts("a" * 49, services.draft())
    assert services.refuses("a" * 50, services.draft()).code == "INVALID_ARGUMENT"


@check("RUN-203", source="run/docs/deploying, Service name: lower-case letters, digits and hyphens")
@pytest.mark.parametrize("bad", ["Upper", "under_score", "dot.dot"])
def test_a_service_id_is_lower_case(services: Services, bad: str) -> None:
    """Upper-case letters, underscores and dots in a service id are INVALID_ARGUMENT."""
    assert services.refuses(bad, services.draft()).code == "INVALID_ARGUMENT"


@check("RUN-204", source=f"{_SERVICE}.name")
def test_the_name_in_a_create_is_ignored(services: Services, service_id: str) -> None:
    """The name of the service in a create is ignored: it is composed of the parent and the service id."""
    created = services.create(service_id, services.draft(name=services.name("another")))
    assert created.name == services.name(service_id)


@check("RUN-205", source=f"{_SERVICE}.labels")
@pytest.mark.parametrize("namespace", _PLATFORM)
def test_labels_of_the_platform_are_rejected(services: Services, service_id: str, namespace: str) -> None:
    """A label in one of the four namespaces of the platform is rejected."""
    refusal = services.refuses(service_id, services.draft(labels={f"{namespace}/x": "y"}))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names("service.labels")


@check("RUN-206", source=f"{_SERVICE}.annotations")
@pytest.mark.parametrize("namespace", _PLATFORM)
def test_annotations_of_the_platform_are_rejected(
    services: Services, service_id: str, namespace: str
) -> None:
    """An annotation in one of the four namespaces of the platform is rejected in a new service."""
    refusal = services.refuses(service_id, services.draft(annotations={f"{namespace}/x": "y"}))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names("service.annotations")


@check("RUN-207", source="google.cloud.run.v2 RevisionTemplate.labels, RevisionTemplate.annotations")
def test_the_template_rejects_the_platforms_namespaces_too(services: Services, service_id: str) -> None:
    """Labels and annotations of the template are held to the same rule, and both are named."""
    bad = {"run.googleapis.com/x": "y"}
    refusal = services.refuses(service_id, services.draft(template__labels=bad, template__annotations=bad))
    assert refusal.names("service.template.labels", "service.template.annotations")


@check("RUN-208", source=_LABELS)
@pytest.mark.parametrize(
    "labels",
    [{"Upper": "y"}, {"1st": "y"}, {"k" * 64: "y"}, {"key": "Upper"}, {"key": "v" * 64}, {"key": "a.b"}],
)
def test_labels_are_lower_case_and_short(services: Services, service_id: str, labels: dict[str, str]) -> None:
    """A label's key begins with a lower-case letter; key and value hold at most 63 of a-z, 0-9, _ and -."""
    assert services.refuses(service_id, services.draft(labels=labels)).names("service.labels")


@check("RUN-209", source=f"{_LABELS}: international characters are allowed, values may be empty")
def test_labels_may_be_international_and_empty(services: Services, service_id: str) -> None:
    """Lower-case letters of any language are accepted in a label, and so is an empty value."""
    assert services.accepts(service_id, services.draft(labels={"größe": "klein", "empty": ""}))


@check("RUN-210", source=f"{_LABELS}: at most 64 labels per resource")
def test_there_are_at_most_sixty_four_labels(services: Services, service_id: str) -> None:
    """64 labels are accepted, 65 are not."""
    labels = {f"k{number}": "v" for number in range(65)}
    assert services.refuses(service_id, services.draft(labels=labels)).names("service.labels")
    del labels["k0"]
    assert services.accepts(service_id, services.draft(labels=labels))


@check("RUN-211", source=f"{_SERVICE}.annotations: Kubernetes' limits and rules (256 KiB in all)")
@pytest.mark.parametrize("annotations", [{"not a key": "v"}, {"a/b/c": "v"}, {"key": "v" * (256 * 1024)}])
def test_annotations_follow_kubernetes(
    services: Services, service_id: str, annotations: dict[str, str]
) -> None:
    """An annotation's key is a name or prefix/name, and all annotations together hold at most 256 KiB."""
    refusal = services.refuses(service_id, services.draft(annotations=annotations))
    assert refusal.names("service.annotations")


@check("RUN-212", source=f"{_SERVICE}.annotations: should be preserved when modifying objects")
def test_annotations_are_kept_as_they_are(services: Services, service_id: str) -> None:
    """Annotations of one's own are read back as they were written."""
    mine = {"example.com/Mixed.Case": "Any text, even {}", "plain": ""}
    services.create(service_id, services.draft(annotations=mine))
    assert dict(services.get(service_id).annotations) == mine


@check("RUN-213", source=f"{_SERVICE}.description: 512-character limit")
def test_a_description_has_at_most_512_characters(services: Services, service_id: str) -> None:
    """A description of 512 characters is accepted, one of 513 is not."""
    assert services.accepts(service_id, services.draft(description="ö" * 512))
    refusal = services.refuses(service_id, services.draft(description="d" * 513))
    assert refusal.names("service.description")


@check(
    "RUN-214",
    source="run/docs/container-contract#env-vars; run/docs/configuring/services/environment-variables",
)
@pytest.mark.parametrize("reserved", ["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"])
def test_reserved_variables_are_refused(services: Services, service_id: str, reserved: str) -> None:
    """A variable that the platform sets itself cannot be set; the refusal names it."""
    draft = services.draft({"env": [{"name": reserved, "value": "1"}]})
    refusal = services.refuses(service_id, draft)
    assert refusal.names("service.template.containers[0].env")
    assert f"The following reserved env names were provided: {reserved}." in refusal.message


@check("RUN-215", source=f"{_ENV}.value: the maximum length is 32768 bytes")
def test_the_value_of_a_variable_is_bounded_in_bytes(services: Services, service_id: str) -> None:
    """A value of 32768 bytes is accepted, one byte more is not, whatever the characters are."""
    assert services.accepts(service_id, services.draft({"env": [{"name": "A", "value": "ö" * 16384}]}))
    refusal = services.refuses(
        service_id, services.draft({"env": [{"name": "A", "value": "ö" * 16384 + "x"}]})
    )
    assert refusal.names("service.template.containers[0].env[0].value")


@check("RUN-216", source="run/docs/configuring/services/overview-environment-variables: a maximum of 1000")
def test_there_are_at_most_a_thousand_variables(services: Services, service_id: str) -> None:
    """1000 variables are accepted, 1001 are not."""
    variables = [{"name": f"V{number}", "value": ""} for number in range(1001)]
    assert services.accepts(service_id, services.draft({"env": variables[:1000]}))
    refusal = services.refuses(service_id, services.draft({"env": variables}))
    assert refusal.names("service.template.containers[0].env")


@check("RUN-217", source="run/docs/configuring/services/overview-environment-variables: '', =, X_GOOGLE_")
@pytest.mark.parametrize("bad", ["", "A=B", "X_GOOGLE_A"])
def test_names_of_variables_are_checked(services: Services, service_id: str, bad: str) -> None:
    """A variable's name is not empty, holds no equals sign and does not begin with X_GOOGLE_."""
    refusal = services.refuses(service_id, services.draft({"env": [{"name": bad, "value": "1"}]}))
    assert refusal.names("service.template.containers[0].env[0].name")


@check("RUN-218", source=_REVISION)
@pytest.mark.parametrize("bad", ["one", "other-one", "{}", "{}-", "{}-One", "{}-" + "a" * 50])
def test_a_named_revision_begins_with_the_services_name(
    services: Services, service_id: str, bad: str
) -> None:
    """A revision's name begins with its service's and a hyphen, is lower case and shorter than 64 characters."""
    refusal = services.refuses(service_id, services.draft(template__revision=bad.format(service_id)))
    assert refusal.code == "INVALID_ARGUMENT"


@check(
    "RUN-219", source="github.com/googleapis/google-cloud-python issue 14259; terraform-provider-google 14569"
)
def test_the_name_of_another_revision_is_taken(services: Services, service_id: str) -> None:
    """Whoever reads a service with a named revision, changes it and writes the whole back gets ALREADY_EXISTS."""
    named = services.draft(template__revision=f"{service_id}-one")
    created = services.create(service_id, named)
    created.template.max_instance_request_concurrency = 7
    refusal = refused(lambda: services.update(service_id, template=created.template))
    assert refusal.code == "ALREADY_EXISTS"
    assert f"Revision named '{service_id}-one' with different configuration already exists" in refusal.message


@check("RUN-220", source="google.cloud.run.v2 RevisionTemplate.revision: automatically generated if omitted")
def test_a_generated_name_is_not_shown_in_the_template(services: Services, service_id: str) -> None:
    """A generated revision name begins with the service's, and the template that is read back does not have it."""
    created = services.create(service_id)
    assert created.latest_created_revision.startswith(f"{created.name}/revisions/{service_id}-")
    assert services.get(service_id).template.revision == ""
