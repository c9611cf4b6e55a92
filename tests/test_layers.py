"""Who may import whom, read from the source; and what importing the core brings along."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "edgetrack"

GROUND = {"errors", "types", "boxes", "config", "secret"}
TOOLS = {
    "image",
    "planes",
    "providers",
    "runtime",
    "registry",
    "configfile",
    "catalogue",
    "cores",
    "arguments",
    "protobuf",
}
EDGES = {"capture", "detect", "pace", "refine", "publish", "notify", "render"}
MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(TOOLS, GROUND | TOOLS),
    **{room: GROUND | {room} for room in ("track", "scene")},
    **{room: GROUND | TOOLS | {room} for room in EDGES},
    "capture": GROUND | TOOLS | {"capture", "render"},  # a rendered scene is a camera
    "record": GROUND | TOOLS | {"record", "track", "scene"},
    "evaluate": GROUND | TOOLS | {"evaluate", "capture", "detect", "refine", "track", "scene", "render"},
}
OWNERS = {
    "onnxruntime": {"runtime.py", "modelling/qdq.py"},  # the latter its quantization alone
    "onnx": {
        "modelling/qdq.py",
        "modelling/graph.py",
        "modelling/prepare.py",
        "modelling/resize.py",
        "modelling/lean.py",
        "modelling/classes.py",
        "modelling/convert.py",
    },
    "paho": {"publish/mqtt.py", "demo/*"},
    "picamera2": {"capture/picamera.py"},
    "cv2": {"capture/gstreamer.py"},
    "sqlite3": {"publish/outbox.py", "publish/wreck.py"},
    "yaml": {"configfile.py", "yamltree.py"},
    "scipy": {"track/*", "evaluate/*"},
    "av": {"capture/*", "image.py", "planes.py", "demo.py", "demo/*"},
    "importlib": {"registry.py", "track/lsap.py"},
}


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "train" not in path.relative_to(PACKAGE).parts)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, types: bool = False) -> list[str]:
    """Names of the modules that a file imports; those for type checkers too if `types`."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types
        for child in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            if node.module == "edgetrack":
                found += [f"edgetrack.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_layers_below(path: Path) -> None:
    room = room_of(path)
    if room not in MAY_IMPORT:
        return
    ours = [name.split(".")[1] for name in imports(path) if name.startswith("edgetrack.")]
    above = sorted(set(ours) - MAY_IMPORT[room] - {"__version__"})
    assert not above, f"{path.relative_to(PACKAGE)} imports {above}"


def test_no_arrow_between_rooms_leads_back() -> None:
    """Nor does one for type checkers: whoever reads a room need not read those above it."""
    arrows: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        ours = {name.split(".")[1] for name in imports(path, types=True) if name.startswith("edgetrack.")}
        arrows.setdefault(room_of(path), set()).update(ours - {room_of(path)})
    graphlib.TopologicalSorter(arrows).prepare()  # a CycleError names the rooms of a circle


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_guest_library_has_one_owner(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        if owners is not None and name != "importlib.resources":
            assert any(place.match(owner) for owner in owners), f"{place} imports {name}, which belongs to {owners}"


@pytest.mark.parametrize("module", ["edgetrack", "edgetrack.track.tracker", "edgetrack.scene"])
def test_the_core_comes_without_camera_model_image_and_broker_libraries(module: str) -> None:
    code = f"import {module}, sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    guests = {"av", "cv2", "onnxruntime", "paho", "picamera2", "sqlite3", "yaml", "torch", "onnx"}
    assert not guests & set(run.stdout.split())
