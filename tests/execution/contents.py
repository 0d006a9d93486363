"""A digest of everything that makes a result, to compare two runs."""

import hashlib
import json
import re

from napari_s1omni.results.result import Result


def contents(path):
    """Digest of everything that makes a result: pixels, metadata, plan, thoughts, label table; not timings and process ids."""
    result = Result.open(path)
    found = {f"level {i}": hashlib.sha256(level[:].tobytes()).hexdigest() for i, level in enumerate(result.levels)}
    for file in sorted(path.rglob("zarr.json")):
        text = file.read_text().replace(str(path), "")
        # A forecast, which differs with the speed of the engine.
        found[str(file.relative_to(path))] = re.sub(r'"seconds_per_tile": *[^,}\n]+', '"seconds_per_tile": 0', text)
    found["plan"] = result.plan.digest
    thoughts = result.thoughts
    words = json.dumps({key: [thoughts.get(key).text, thoughts.get(key).prompt] for key in thoughts})
    found["thoughts"] = hashlib.sha256(words.encode()).hexdigest()
    table = path / ".s1omni" / "uncertain_joins.csv"
    found["table"] = table.read_text() if table.exists() else ""
    found["stray"] = [p.name for p in path.rglob("*partial*")]
    return found
