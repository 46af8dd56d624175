#!/usr/bin/env python3
"""The crates that a shipped program is made of, as a CycloneDX 1.5 document, from `cargo metadata` and Cargo.lock.

    packaging/sbom.py FILE TARGET...

What only builds or tests is left out, but for C sources that crates bring along: these are the crate's own. The document is judged by
CycloneDX's schema before it is written. The same sources make the same document: it holds no time and no random number.
"""
import json
import os
import subprocess
import sys
import tomllib
import uuid


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def reached(meta):
    """The ids of packages that become part of the program, each with those it needs."""
    nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
    found, todo = {}, [meta["resolve"]["root"]]
    while todo:
        package = todo.pop()
        if package in found:
            continue
        normal = [d["pkg"] for d in nodes[package]["deps"] if any(k["kind"] is None for k in d["dep_kinds"])]
        found[package] = normal
        todo.extend(normal)
    return found


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums, kind):
    made = {"type": kind, "bom-ref": purl(package), "name": package["name"], "version": package["version"], "purl": purl(package)}
    if package["description"]:
        made["description"] = " ".join(package["description"].split())
    if package["license"]:
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


def main(file, *targets):
    with open("Cargo.lock", "rb") as lock:
        checksums = {(p["name"], p["version"]): p.get("checksum") for p in tomllib.load(lock)["package"]}
    packages, needs, root = {}, {}, None
    for target in targets:
        meta = metadata(target)
        root = meta["resolve"]["root"]
        packages.update({p["id"]: p for p in meta["packages"]})
        for package, of in reached(meta).items():
            needs.setdefault(package, set()).update(of)
    own = packages[root]
    others = sorted((packages[p] for p in needs if p != root), key=purl)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": component(own, checksums, "application"),
            "properties": [{"name": "qaudjrn:target", "value": target} for target in targets],
        },
        "components": [component(p, checksums, "library") for p in others],
        "dependencies": sorted(
            ({"ref": purl(packages[p]), "dependsOn": sorted(purl(packages[d]) for d in of)} for p, of in needs.items()),
            key=lambda d: d["ref"],
        ),
    }
    text = json.dumps(document, indent=1)
    document["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, text).urn
    text = json.dumps(document, indent=1) + "\n"

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    wrong = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if wrong:
        sys.exit(f"sbom.py: not as CycloneDX has it: {wrong}")
    # A name is the crate that it says: what has no checksum is ours.
    strangers = [c["name"] for c in document["components"] if "hashes" not in c]
    if strangers:
        sys.exit(f"sbom.py: no checksum in Cargo.lock: {', '.join(strangers)}")
    with open(file, "w", encoding="utf-8") as out:
        out.write(text)
    print(f"sbom.py: {len(others)} crates, {os.path.basename(file)}")


if len(sys.argv) < 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
