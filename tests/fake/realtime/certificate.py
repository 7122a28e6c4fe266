"""certificate - certificates for the loopback, made by openssl when first asked for, good and bad ones."""

import atexit
import functools
import pathlib
import shutil
import ssl
import subprocess
import tempfile

KINDS = {  # what it is good for: (subject alternative name, days that it is valid)
    "good": ("DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1", 2),
    "wrong-host": ("DNS:example.net", 2),
    "expired": ("DNS:localhost,IP:127.0.0.1", -1),
    "self-signed": ("DNS:localhost,IP:127.0.0.1", 2),
}


@functools.cache
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="endpoint-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder())


@functools.cache
def authority():
    """Path of the certificate of the authority that signs the others (PEM)."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key",
            "-out", "ca.pem", "-days", "2", "-subj", "/CN=scripted authority", "-addext",
            "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return str(folder() / "ca.pem")


@functools.cache
def files(kind):
    """(certificate, key), as paths."""
    names, days = KINDS[kind]
    authority()
    if not (folder() / "key.pem").exists():
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
    (folder() / f"{kind}.ext").write_text(
        f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    openssl("req", "-new", "-key", "key.pem", "-subj", "/CN=scripted endpoint", "-out", f"{kind}.csr")
    sign = ["-signkey", "key.pem"] if kind == "self-signed" else ["-CA", "ca.pem", "-CAkey", "ca.key",
                                                                 "-CAcreateserial"]
    openssl("x509", "-req", "-in", f"{kind}.csr", *sign, "-days", days, "-extfile", f"{kind}.ext", "-out",
            f"{kind}.pem")
    return str(folder() / f"{kind}.pem"), str(folder() / "key.pem")


@functools.cache
def context(kind):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*files(kind))
    return made
