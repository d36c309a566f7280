package sessionstore_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore"
)

// addPermissions makes three permissions and two groups, and grants some of them: alice (1) has one of her own and
// one by the group editors, bob (2) has none, carol (3) is not active, root (4) is a superuser.
func (b *bed) addPermissions(t testing.TB) {
	t.Helper()
	for i, name := range []string{"alice", "bob", "carol", "root"} {
		b.addUser(t, i+1, name, "!", name != "carol")
	}
	b.exec(t, "UPDATE auth_user SET is_superuser = true WHERE username = 'root'")
	b.exec(t, "INSERT INTO django_content_type (id, app_label, model) VALUES (101, 'chat', 'room'), (102, 'polls', 'choice')")
	b.exec(t, "INSERT INTO auth_permission (id, content_type_id, codename, name) VALUES "+
		"(201, 101, 'view_room', ''), (202, 101, 'add_room', ''), (203, 102, 'add_choice', '')")
	b.exec(t, "INSERT INTO auth_group (id, name) VALUES (301, 'editors'), (302, 'nobody')")
	b.exec(t, "INSERT INTO auth_group_permissions (id, group_id, permission_id) VALUES (1, 301, 201)")
	b.exec(t, "INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (1, 1, 301), (2, 3, 301), (3, 4, 302)")
	b.exec(t, "INSERT INTO auth_user_user_permissions (id, user_id, permission_id) VALUES (1, 1, 203), (2, 3, 203)")
}

// member returns a user as the session would bring him.
func member(pk int64, change func(*djangocompat.User)) *djangocompat.User {
	u := &djangocompat.User{PK: djangocompat.IntPK(pk), IsActive: true}
	if change != nil {
		change(u)
	}
	return u
}

var (
	inactive  = func(u *djangocompat.User) { u.IsActive = false }
	superuser = func(u *djangocompat.User) { u.IsSuperuser = true }
)

func TestPermissions(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.addPermissions(t)
		s := open(t, b.config())
		tests := []struct {
			name       string
			user       *djangocompat.User
			permission string
			want       bool
		}{
			{"a permission of one's own", member(1, nil), "polls.add_choice", true},
			{"a permission by a group", member(1, nil), "chat.view_room", true},
			{"one that nobody gave", member(1, nil), "chat.add_room", false},
			{"one that there is not", member(1, nil), "chat.fly", false},
			{"names are case-sensitive", member(1, nil), "Chat.view_room", false},
			{"an app alone is none", member(1, nil), "chat.", false},
			{"nothing is none", member(1, nil), "", false},
			{"who has none", member(2, nil), "chat.view_room", false},
			{"who is not active has none", member(3, inactive), "chat.view_room", false},
			{"a superuser has one", member(4, superuser), "chat.add_room", true},
			{"a superuser has even one that there is not", member(4, superuser), "chat.fly", true},
			{"a superuser who is not active has none", member(4, func(u *djangocompat.User) { superuser(u); inactive(u) }), "chat.view_room", false},
			{"a visitor has none", nil, "chat.view_room", false},
			{"AnonymousUser has none", new(djangocompat.User), "chat.view_room", false},
			{"who is not there has none", member(99, nil), "chat.view_room", false},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if got, err := s.HasPerm(t.Context(), tt.user, tt.permission); got != tt.want || err != nil {
					t.Errorf("HasPerm = %v, %v, want %v", got, err, tt.want)
				}
			})
		}
		t.Run("all of several, an app, a group", func(t *testing.T) { testPermissionsOfAlice(t, s) })
		t.Run("a superuser's are all, and his groups are his own", func(t *testing.T) {
			p, err := s.Permissions(t.Context(), member(4, superuser))
			if err != nil {
				t.Fatal(err)
			}
			if all := p.All(); !slices.Equal(all, []string{"chat.add_room", "chat.view_room", "polls.add_choice"}) || !slices.Equal(p.Groups(), []string{"nobody"}) {
				t.Errorf("All = %q, Groups = %q", all, p.Groups())
			}
			if !p.Has("x.y") || !p.HasModule("x") || p.InGroup("editors") {
				t.Error("a superuser lacks something, or is in a group that he is not in")
			}
		})
	})
}

func testPermissionsOfAlice(t *testing.T, s *sessionstore.Store) {
	ctx, alice := t.Context(), member(1, nil)
	both, err1 := s.HasPerms(ctx, alice, "chat.view_room", "polls.add_choice")
	one, err2 := s.HasPerms(ctx, alice, "chat.view_room", "chat.add_room")
	chat, err3 := s.HasModulePerms(ctx, alice, "chat")
	cha, err4 := s.HasModulePerms(ctx, alice, "cha")
	editors, err5 := s.InGroup(ctx, alice, "editors")
	carol, err6 := s.InGroup(ctx, member(3, inactive), "editors")
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	if !both || one || !chat || cha || !editors || carol {
		t.Errorf("both %v, one of two %v, app %v, part of an app's name %v, group %v, inactive in group %v", both, one, chat, cha, editors, carol)
	}
	p, err := s.Permissions(ctx, alice)
	if err != nil || !slices.Equal(p.User(), []string{"polls.add_choice"}) || !slices.Equal(p.Group(), []string{"chat.view_room"}) ||
		!slices.Equal(p.All(), []string{"chat.view_room", "polls.add_choice"}) || !slices.Equal(p.Groups(), []string{"editors"}) {
		t.Errorf("Permissions = %v, %v", p, err)
	}
}

func TestPermissionsAreRememberedForAWhile(t *testing.T) {
	b := sqliteBed(t)
	b.addPermissions(t)
	reg := prometheus.NewRegistry()
	cfg := b.config()
	cfg.Registerer = reg
	cfg.Permissions = sessionstore.PermissionConfig{Entries: 2}
	s := open(t, cfg)
	has := func(pk int64) bool {
		t.Helper()
		got, err := s.HasPerm(t.Context(), member(pk, nil), "polls.add_choice")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for range 100 {
		has(1)
	}
	if n := queries(t, reg); n != 1 {
		t.Errorf("%d queries for 100 checks, want 1", n)
	}
	b.exec(t, "DELETE FROM auth_user_user_permissions")
	if !has(1) {
		t.Error("it was forgotten at once")
	}
	for pk := range int64(50) {
		has(pk + 10)
	}
	if has(10); queries(t, reg) < 51 {
		t.Errorf("%d queries for 51 users, want one for each where two are remembered", queries(t, reg))
	}
	cfg.Permissions = sessionstore.PermissionConfig{Age: -1}
	cfg.Registerer = nil
	fresh := open(t, cfg)
	b.exec(t, "INSERT INTO auth_user_user_permissions (id, user_id, permission_id) VALUES (9, 2, 203)")
	if ok, err := fresh.HasPerm(t.Context(), member(2, nil), "polls.add_choice"); !ok || err != nil {
		t.Errorf("HasPerm = %v, %v, want what is in the table", ok, err)
	}
	b.exec(t, "DELETE FROM auth_user_user_permissions")
	if ok, err := fresh.HasPerm(t.Context(), member(2, nil), "polls.add_choice"); ok || err != nil {
		t.Errorf("HasPerm = %v, %v, want what is in the table now", ok, err)
	}
}

func TestPermissionLookupsAreShared(t *testing.T) {
	b := postgresBed(t)
	b.addPermissions(t)
	reg := prometheus.NewRegistry()
	cfg := b.config()
	cfg.Registerer, cfg.Permissions.Age = reg, -1
	s := open(t, cfg)
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			ok, err := s.HasPerm(t.Context(), member(int64(i%4+1), nil), "chat.view_room")
			if want := i%4 == 0 || i%4 == 2; ok != want || err != nil { // who is in the group; whether active says the User
				t.Errorf("HasPerm of %d = %v, %v, want %v", i%4+1, ok, err, want)
			}
		})
	}
	all.Wait()
	if n := queries(t, reg); n > 100 {
		t.Errorf("%d queries for 500 lookups of 4 users, want few", n)
	}
}

func TestPermissionsWithoutTables(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.exec(t, "CREATE TABLE members (id integer PRIMARY KEY, username varchar(10), password varchar(100))")
		b.grant(t, "SELECT ON members")
		cfg := b.config()
		cfg.Users.Table = "members"
		log := new(said)
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		s := open(t, cfg)
		_, _ = s.HasPerm(t.Context(), member(2, nil), "chat.view_room")
		ok, err := s.HasPerm(t.Context(), member(1, nil), "chat.view_room")
		d, is := errors.AsType[*sessionstore.DatabaseError](err)
		if ok || !is || d.Fault != sessionstore.FaultSchema {
			t.Errorf("HasPerm = %v, %v, want FaultSchema", ok, err)
		}
		if text := log.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "members_groups") {
			t.Errorf("log = %q, want one error that names the table", text)
		}
		if ok, err := s.HasPerm(t.Context(), member(1, superuser), "chat.view_room"); !ok || err != nil {
			t.Errorf("HasPerm of a superuser = %v, %v, want true", ok, err)
		}
		b.exec(t, "CREATE TABLE members_groups (id integer PRIMARY KEY, member_id integer, group_id integer)")
		b.exec(t, "CREATE TABLE members_user_permissions (id integer PRIMARY KEY, member_id integer, permission_id integer)")
		b.grant(t, "SELECT ON members_groups, members_user_permissions")
		b.exec(t, "INSERT INTO auth_group (id, name) VALUES (301, 'editors')")
		b.exec(t, "INSERT INTO members_groups VALUES (1, 7, 301)")
		if ok, err := open(t, cfg).InGroup(t.Context(), member(7, nil), "editors"); !ok || err != nil {
			t.Errorf("InGroup in a user model's own tables = %v, %v, want true", ok, err)
		}
	})
}

// grantAll makes a table of users with all kinds of permissions in Django, and prints what each of them may do.
const grantAll = `
import json
from django.contrib.auth.models import User, Group, Permission
perms = list(Permission.objects.select_related("content_type").order_by("id"))
groups = [Group.objects.create(name="group%d" % i) for i in range(4)]
for i, g in enumerate(groups):
    g.permissions.set(perms[i::5])
users = []
for i in range(40):
    u = User.objects.create(username="user%d" % i, is_active=i % 7 != 0, is_superuser=i % 11 == 0, is_staff=i % 3 == 0)
    u.groups.set([g for j, g in enumerate(groups) if i >> j & 1])
    u.user_permissions.set(perms[i % 5::9] if i % 2 else [])
    users.append(u)
names = ["%s.%s" % (p.content_type.app_label, p.codename) for p in perms] + ["auth.fly", "nothing.at_all", ""]
out = []
for u in users:
    u = User.objects.get(pk=u.pk)
    out.append({
        "pk": u.pk, "active": u.is_active, "superuser": u.is_superuser,
        "all": sorted(u.get_all_permissions()), "group": sorted(u.get_group_permissions()),
        "has": [n for n in names if u.has_perm(n)], "modules": [m for m in ("auth", "sessions", "admin", "chat", "x") if u.has_module_perms(m)],
        "groups": sorted(g.name for g in u.groups.all()),
    })
print(json.dumps({"names": names, "users": out}))
`

// TestPermissionsLikeDjango compares a table of users with a running Django, on both databases.
func TestPermissionsLikeDjango(t *testing.T) {
	for name, url := range map[string]func() string{
		"SQLite":     func() string { return "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3") },
		"PostgreSQL": func() string { return pgtest.Open(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			address := url()
			django := djangotest.Start(t, address, djangotest.Config{})
			var answer struct {
				Names []string
				Users []struct {
					PK                               int64
					Active, Superuser                bool
					All, Group, Has, Modules, Groups []string
				}
			}
			if err := json.Unmarshal([]byte(django.Shell(t, grantAll)), &answer); err != nil {
				t.Fatal(err)
			}
			address = pgtest.Restricted(t, address)
			s := open(t, sessionstore.Config{DatabaseURL: djangocompat.NewSecret(address), Keys: djangocompat.NewKeys("key"), QueryTimeout: 10 * time.Second})
			for _, u := range answer.Users {
				user := &djangocompat.User{PK: djangocompat.IntPK(u.PK), IsActive: u.Active, IsSuperuser: u.Superuser}
				p, err := s.Permissions(t.Context(), user)
				if err != nil {
					t.Fatal(err)
				}
				var has, modules []string
				for _, n := range answer.Names {
					if p.Has(n) {
						has = append(has, n)
					}
				}
				for _, m := range []string{"auth", "sessions", "admin", "chat", "x"} {
					if p.HasModule(m) {
						modules = append(modules, m)
					}
				}
				if !u.Active { // a group is one whoever is in it; here it counts for those alone who may log in
					u.Groups = nil
				}
				for what, pair := range map[string][2][]string{
					"All": {p.All(), u.All}, "Group": {p.Group(), u.Group}, "Has": {has, u.Has}, "HasModule": {modules, u.Modules}, "Groups": {p.Groups(), u.Groups},
				} {
					if !slices.Equal(pair[0], pair[1]) {
						t.Errorf("user %d: %s = %q, want %q", u.PK, what, pair[0], pair[1])
					}
				}
			}
		})
	}
}

func BenchmarkHasPerm(b *testing.B) {
	bed := sqliteBed(b)
	bed.addPermissions(b)
	for name, age := range map[string]time.Duration{"remembered": time.Hour, "asked": -1} {
		b.Run(name, func(b *testing.B) {
			cfg := bed.config()
			cfg.Permissions.Age = age
			s := open(b, cfg)
			alice := member(1, nil)
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := s.HasPerm(b.Context(), alice, "chat.view_room"); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
