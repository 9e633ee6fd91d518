"""Enter a folder, become another user, and run a program there: UID GID FOLDER PROGRAM [WORD ...].

The folder is entered before the rights are given up, so the user needs no right to the folders
above it: what it has entered it finds again as ``/proc/self/cwd``. Run as a file of its own.
"""

import os
import sys


def main() -> None:
    """Become the program; comes back only by an error."""
    uid, gid, folder, *command = sys.argv[1:]
    os.chdir(folder)
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    os.umask(0o077)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
