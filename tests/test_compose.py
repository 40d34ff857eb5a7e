"""The container files name only what exists, and keep what they promise."""

import json
import re
import shlex
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {"serve", "migrate", "seed", "setup"}


def _instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continued lines joined, remarks left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def _of(instruction: str) -> list[str]:
    return [rest for word, rest in _instructions() if word == instruction]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def _ignored(path: str) -> bool:
    """Whether .dockerignore, which shuts out everything and then names exceptions, keeps a path from the builder."""
    return f"!{path}" not in (ROOT / ".dockerignore").read_text().splitlines()


# The image


def test_every_file_that_is_copied_exists_and_reaches_the_builder() -> None:
    copied = [
        source
        for arguments in _of("COPY")
        for source in [word for word in shlex.split(arguments) if not word.startswith("--")][:-1]
    ]
    assert {"run", "requirements.lock", "service"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
        assert not _ignored(source), source


def test_the_builder_gets_nothing_that_is_not_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for arguments in _of("COPY") for word in shlex.split(arguments)}
    assert allowed <= copied


def test_the_packages_are_installed_before_the_code_is_copied_by_the_script_that_a_clone_uses() -> None:
    words = [f"{word} {rest}" for word, rest in _instructions()]
    setup = words.index("RUN ./run setup")
    assert any("requirements.lock" in line for line in words[:setup])
    assert not any(line.startswith("COPY") and " service " in line for line in words[:setup])


def test_the_image_runs_as_a_user_without_rights() -> None:
    user = _of("USER")[-1]
    assert user not in {"root", "0"}
    assert re.search(rf"useradd .*\b{user}\b", _of("RUN")[0])


def test_the_image_serves_on_every_address_and_keeps_its_state_in_a_volume() -> None:
    settings = dict(pair.split("=", 1) for line in _of("ENV") for pair in shlex.split(line))
    assert settings["HOST"] == "0.0.0.0"
    assert settings["STATE_DIR"] in _of("VOLUME")
    assert json.loads(_of("CMD")[-1]) == ["./run", "serve"]
    assert _of("EXPOSE") == [settings["PORT"]]


def test_files_that_are_imported_are_kept_on_a_disk(compose: dict[str, Any]) -> None:
    service = compose["services"]["service"]
    assert service["environment"]["TMPDIR"] in {mount.split(":")[1] for mount in service["volumes"]}


def test_no_image_floats() -> None:
    images = [*_of("FROM"), *re.findall(r"image: (\S+)", (ROOT / "docker-compose.yml").read_text())]
    for image in images:
        assert re.search(r":[^:/]+$", image), image
        assert not image.endswith(":latest"), image


def test_no_secret_is_written_down() -> None:
    for name in ("Dockerfile", "docker-compose.yml"):
        for value in re.findall(r"(?i)(?:password|secret|token)\w*(?:: |=)\s*(\S+)", (ROOT / name).read_text()):
            assert value.startswith(("${", "…")), f"{name}: {value}"
        assert not re.search(r"://\w+:(?!\$\{)", (ROOT / name).read_text()), name


# The services


def test_the_three_services_start_in_order(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"database", "migrate", "service"}
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["service"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }


def test_what_others_wait_for_tells_its_health(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert compose["services"][name]["healthcheck"]["test"][0] == "CMD"


def test_the_service_is_healthy_when_it_says_so(compose: dict[str, Any]) -> None:
    program, flag, code = compose["services"]["service"]["healthcheck"]["test"][1:]
    assert (program, flag) == ("python3", "-c")
    assert "http://127.0.0.1:8000/healthz" in code
    compile(code, "healthcheck", "exec")
    (dockerfile,) = _of("HEALTHCHECK")
    assert json.loads(dockerfile.partition("CMD ")[2]) == ["python3", "-c", code]


def test_the_database_is_the_right_one_and_survives_its_container(compose: dict[str, Any]) -> None:
    database = compose["services"]["database"]
    assert database["image"].startswith("postgres:18")
    assert database["volumes"] == ["database:/var/lib/postgresql"]  # from 18 on; it was …/data before
    assert "ports" not in database


def test_every_named_volume_is_declared(compose: dict[str, Any]) -> None:
    used = {mount.split(":")[0] for service in compose["services"].values() for mount in service.get("volumes", [])}
    assert used == set(compose["volumes"])


def test_both_of_ours_use_the_same_image_and_database(compose: dict[str, Any]) -> None:
    migrate, service = compose["services"]["migrate"], compose["services"]["service"]
    assert migrate["image"] == service["image"]
    assert migrate["environment"] == service["environment"]
    assert service["environment"]["DATABASE_URL"].endswith("@database:5432/registry")
    assert service["environment"]["HOST"] == "0.0.0.0"


def test_every_command_is_one_that_run_knows(compose: dict[str, Any]) -> None:
    loader = SourceFileLoader("run_script", str(ROOT / "run"))
    spec = spec_from_loader("run_script", loader)
    assert spec
    script = module_from_spec(spec)
    loader.exec_module(script)
    commands = [json.loads(_of("CMD")[-1]), *(s["command"] for s in compose["services"].values() if "command" in s)]
    commands += [shlex.split(line) for line in _of("RUN") if line.startswith("./run")]
    for program, *arguments in commands:
        assert program == "./run"
        assert arguments[0] in COMMANDS
        for command in script.plan(arguments):
            assert command[:3] == ["python", "-m", "service.cli"]


def test_the_service_is_offered_to_this_machine_only(compose: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["service"]["ports"])
