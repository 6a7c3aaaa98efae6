"""Makes the certificate of the test server, its key, and the certificate of who vouches for it; needs `cryptography`."""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FOLDER = pathlib.Path(__file__).parent


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
is_authority = [(x509.BasicConstraints(ca=True, path_length=None), True)]
is_server = [
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (
        x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        ),
        False,
    ),
]
authority = "runtime-signals tests"
files = {
    "authority.pem": certificate(authority, authority_key, authority, authority_key, is_authority),
    "server.pem": certificate("localhost", server_key, authority, authority_key, is_server),
    "server.key": server_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ),
}
for file, content in files.items():
    (FOLDER / file).write_bytes(content)
