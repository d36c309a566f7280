"""Migrates the site's database, makes users, serves the site on a free port, and prints the port.

    serve.py PASSWORD NAME...
"""

import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.core.management import call_command


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


django.setup()
call_command("migrate", verbosity=0, stdout=sys.stderr)
call_command("makeuser", "--password", *sys.argv[1:], stdout=sys.stderr)

from mysite.wsgi import application  # noqa: E402, after the tables are there

server = make_server("127.0.0.1", 0, application, Server, WSGIRequestHandler)
print(server.server_port, flush=True)
server.serve_forever()
