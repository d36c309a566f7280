from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache


def home(request):
    """Says who the visitor is, to Django and to Belleville."""
    return render(request, "chat/home.html")


def index(request):
    """Asks for a room."""
    return render(request, "chat/index.html")


def room(request, room_name):
    """A room of the chat. Its WebSocket goes to Belleville."""
    return render(request, "chat/room.html", {"room_name": room_name})


@never_cache
def whoami(request):
    """What Django knows about the visitor."""
    user = request.user
    return JsonResponse(
        {
            "pk": user.pk,
            "username": user.get_username(),
            "is_authenticated": user.is_authenticated,
            "session_keys": sorted(request.session.keys()),
        }
    )


@login_required
def say(request, room):
    """Says something in a room from Python: what is group_sent here reaches the browsers through Belleville."""
    context = {"room": room, "can_say": settings.HAS_CHANNELS and bool(settings.CHANNEL_LAYER_URL)}
    if request.method != "POST":
        return render(request, "chat/say.html", context)
    if not context["can_say"]:
        return JsonResponse({"error": "saying something needs Channels and CHANNEL_LAYER_URL"}, status=503)

    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    message = "%s: %s" % (request.user.get_username(), request.POST.get("message", ""))
    async_to_sync(get_channel_layer().group_send)("chat_" + room, {"type": "chat.message", "message": message})
    return JsonResponse({"room": room, "message": message})
