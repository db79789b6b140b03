"""`jianwei rules sign` and `verify`: detached Ed25519 signatures of packs."""

from __future__ import annotations

import os

import click

from agents.errors import UserError
from collectors import strictyaml
from collectors.strictyaml import DocumentError
from exporters.report import files as whole_files
from rules import signing


@click.command(name="sign")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--key", "key_file", required=True, type=click.Path(), help="Private key, PEM.")
def sign(files: tuple[str, ...], key_file: str) -> None:
    """Sign packs and rule files: writes FILE.sig beside each.

    \b
    Examples:
      openssl genpkey -algorithm ed25519 -out city.key
      openssl pkey -in city.key -pubout -out city.pub
      jianwei rules sign city.yaml --key city.key
    Exit codes: 0 signed, 2 a file or the key cannot be read, or a signature not written.
    """
    try:
        try:
            key = signing.private_key(key_file)
        except signing.PassphraseNeeded:
            secret = click.prompt("Passphrase", hide_input=True, err=True)
            key = signing.private_key(key_file, secret)
    except OSError as error:
        raise UserError(f"{key_file}: cannot be read: {error.strerror}") from error
    except signing.KeyProblem as error:
        raise UserError(str(error)) from error
    signatures = {f + signing.SUFFIX: signing.sign(f, strictyaml.read(f), key) for f in files}
    for path, signature in signatures.items():
        try:
            whole_files.write(os.path.dirname(path) or ".", {os.path.basename(path): signature})
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from error
        click.echo(path)


@click.command(name="verify")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--key",
    "key_files",
    multiple=True,
    required=True,
    type=click.Path(),
    help="Public key, PEM; may be repeated: one of them must have signed.",
)
@click.pass_context
def verify(ctx: click.Context, files: tuple[str, ...], key_files: tuple[str, ...]) -> None:
    """Check the signatures of packs and rule files.

    \b
    Examples:
      jianwei rules verify city.yaml --key city.pub
    Exit codes: 0 all are signed by one of the keys, 1 some are not, 2 a file or key cannot be read.
    """
    read, wrong = signing.reader(key_files), 0
    for name in files:
        strictyaml.read(name)
        try:
            read(name)
        except DocumentError as error:
            wrong += 1
            click.echo(str(error), err=True)
        else:
            click.echo(f"{name}: signed by a trusted key")
    if wrong:
        ctx.exit(1)
