"""docs/deploy.md and the roles agree."""

from tools.deploy_variables import PAGE, page


def test_the_variables_in_the_document_are_those_of_the_roles() -> None:
    assert PAGE.read_text() == page(), "run python tools/deploy_variables.py"
