#!/usr/bin/python3
"""Makes the domain ad.test of a Samba domain controller in a directory, to be copied and started by tests.

  samba_domain.py provision DIRECTORY          the domain, and the accounts that read it
  samba_domain.py load DIRECTORY LDIF CHANGES  adds what a file says, and then what a file of changes says

The accounts differ in what an admin granted them: `sync` nothing, `sync-deleted` to read CN=Deleted Objects,
`sync-replication` DS-Replication-Get-Changes, `sync-both` both.
"""
import logging
import os
import pwd
import subprocess
import sys

from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.provision import FILL_FULL, provision
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

SUFFIX = "DC=ad,DC=test"
ADMIN_PASSWORD = "Admin!Passw0rd"
SYNC_PASSWORD = "Sync!Passw0rd"
GET_CHANGES = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"  # the control access right DS-Replication-Get-Changes
ACCOUNTS = {"sync": (False, False), "sync-deleted": (True, False), "sync-replication": (False, True), "sync-both": (True, True)}


def write_configuration(directory):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "smb.conf"), encoding="utf-8") as file:
        text = file.read()
    # Nothing listens while the domain is made: any address will do.
    for name, value in (("@DIRECTORY@", directory), ("@ADDRESS@", "127.0.0.1"), ("@STRONG@", "yes")):
        text = text.replace(name, value)
    with open(f"{directory}/smb.conf", "w", encoding="utf-8") as file:
        file.write(text)


def load_configuration(directory):
    configuration = LoadParm()
    configuration.load(f"{directory}/smb.conf")
    return configuration


def make_domain(directory):
    for name in ("private", "state", "lock", "cache", "run", "bind-dns"):
        os.makedirs(f"{directory}/{name}")
    write_configuration(directory)
    # `samba-tool domain provision` sets access lists on sysvol, which not every file system takes; nobody reads sysvol here.
    provision(
        logging.getLogger("provision"),
        system_session(),
        smbconf=f"{directory}/smb.conf",
        lp=load_configuration(directory),
        samdb_fill=FILL_FULL,
        realm="AD.TEST",
        domain="ADTEST",
        hostname="dc1",
        hostip="127.0.0.1",
        adminpass=ADMIN_PASSWORD,
        dns_backend="NONE",
        serverrole="active directory domain controller",
        root=pwd.getpwuid(os.getuid()).pw_name,
        dom_for_fun_level=4,
        skip_sysvolacl=True,
        use_rfc2307=True,
        backend_store="mdb",
        backend_store_size=2 << 30,
        batch_mode=True,
    )
    write_configuration(directory)


def grant(descriptors, domain, dn, ace):
    # `samba-tool dsacl` cannot do this on CN=Deleted Objects: it does not ask for what is deleted.
    controls = ["show_deleted:1"]
    text = descriptors.read_sd_on_dn(dn, controls).as_sddl(domain)
    place = text.index("(") if "(" in text else len(text)
    descriptor = security.descriptor.from_sddl(text[:place] + ace + text[place:], domain)
    descriptors.modify_sd_on_dn(dn, descriptor, controls=controls)


def add_accounts(directory):
    database = SamDB(url=f"{directory}/private/sam.ldb", lp=load_configuration(directory), session_info=system_session())
    domain = security.dom_sid(database.get_domain_sid())
    descriptors = SDUtils(database)
    for name, (deleted, replication) in ACCOUNTS.items():
        dn = f"CN={name},CN=Users,{SUFFIX}"
        database.add(
            {
                "dn": dn,
                "objectClass": "user",
                "sAMAccountName": name,
                "userPrincipalName": f"{name}@ad.test",
                "userAccountControl": str(0x200 | 0x10000),  # an ordinary account whose password does not expire
                "clearTextPassword": SYNC_PASSWORD.encode("utf-16-le"),
            }
        )
        sid = ndr_unpack(security.dom_sid, bytes(database.search(dn, 0, attrs=["objectSid"])[0]["objectSid"][0]))
        if deleted:
            grant(descriptors, domain, f"CN=Deleted Objects,{SUFFIX}", f"(A;CI;LCRPLO;;;{sid})")
        if replication:
            grant(descriptors, domain, SUFFIX, f"(OA;;CR;{GET_CHANGES};;{sid})")


def load(directory, entries, changes):
    write_configuration(directory)
    for program, file in (("ldbadd", entries), ("ldbmodify", changes)):
        # Without batch mode and a larger cache of the index it takes three times as long.
        options = ["--nosync", "-o", "batch_mode:1", "-o", "transaction_index_cache_size:200000"]
        database = ["-H", f"{directory}/private/sam.ldb", f"--configfile={directory}/smb.conf"]
        subprocess.run([program, *options, *database, file], check=True)


def main():
    command, directory, *files = sys.argv[1:]
    directory = os.path.abspath(directory)
    logging.basicConfig(level=logging.INFO)
    if command == "provision":
        make_domain(directory)
        add_accounts(directory)
    else:
        load(directory, *files)


main()
