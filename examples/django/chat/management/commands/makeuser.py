from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Makes users with a password, or gives it to those who have another: makeuser --password PASSWORD NAME..."

    def add_arguments(self, parser):
        parser.add_argument("--password", required=True)
        parser.add_argument("--staff", action="store_true", help="let them into the admin, with every permission")
        parser.add_argument("names", nargs="+")

    def handle(self, *args, **options):
        for name in options["names"]:
            user, made = get_user_model().objects.get_or_create(username=name)
            if made or not user.check_password(options["password"]):
                user.set_password(options["password"])  # a new one ends the user's sessions, even where it is the same
            user.is_staff = user.is_superuser = options["staff"]
            user.save()
            self.stdout.write("%s %s" % ("made" if made else "kept", name))
