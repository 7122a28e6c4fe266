"""A build backend that builds nothing.

pip runs the backend of a source archive to learn its metadata, even for a mere download. With this
folder first on PYTHONPATH and --no-build-isolation it runs these lines in place of the archive's
own, fetches no build tools, and its hash check of the archive still applies.
"""

import os

NAME, VERSION = os.environ["INERT_NAME"], os.environ["INERT_VERSION"]


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = f"{NAME.replace('-', '_')}-{VERSION}.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder), exist_ok=True)
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w", encoding="ascii") as out:
        out.write(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
    return folder


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise RuntimeError("this backend builds nothing")
