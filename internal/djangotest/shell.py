"""Runs Python code inside the site: shell.py CODE"""

import sys

import django

django.setup()
exec(compile(sys.argv[1], "<test>", "exec"), {"__name__": "__main__"})
