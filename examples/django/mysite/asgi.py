"""The site for an ASGI server.

Where Channels is installed, the chat's WebSockets are served here too, by Python: for a comparison with Belleville,
which needs none of it.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

application = get_asgi_application()  # sets Django up, which the imports below need

from django.conf import settings  # noqa: E402

if settings.HAS_CHANNELS:
    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator

    from chat.routing import websocket_urlpatterns

    application = ProtocolTypeRouter(
        {
            "http": application,
            "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
        }
    )
