from django.conf import settings


def belleville(request):
    """Tells every page where its WebSockets are."""
    return {"belleville_url": settings.WEBSOCKETS_URL}
