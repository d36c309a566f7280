package sessionstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unique"

	"github.com/belleville/belleville/djangocompat"
)

// maxGrants bounds what one query for permissions may bring. A user with more is a mistake, or an attack.
const maxGrants = 1 << 18

// grants are what the tables say of one user. Nobody changes them: they are shared.
type grants struct {
	user, group []string // permissions, sorted, each once
	groups      []string // names, sorted
}

// Permissions are what a user may do, as it was when it was read.
type Permissions struct {
	superuser bool
	grants    *grants
}

// Has reports whether the user has a permission, as "polls.add_choice". Python: user.has_perm.
func (p *Permissions) Has(permission string) bool {
	return p.superuser || contains(p.grants.user, permission) || contains(p.grants.group, permission)
}

// HasAll reports whether the user has all of these permissions. Python: user.has_perms.
func (p *Permissions) HasAll(permissions ...string) bool {
	return !slices.ContainsFunc(permissions, func(one string) bool { return !p.Has(one) })
}

// HasModule reports whether the user has any permission in an app, as "polls".
// Python: user.has_module_perms.
func (p *Permissions) HasModule(app string) bool {
	return p.superuser || containsBelow(p.grants.user, app+".") || containsBelow(p.grants.group, app+".")
}

// InGroup reports whether the user is in a group; a superuser is not in all of them.
// Python: user.groups.filter(name=name).exists.
func (p *Permissions) InGroup(name string) bool { return contains(p.grants.groups, name) }

// Groups returns the names of the user's groups, sorted.
func (p *Permissions) Groups() []string { return slices.Clone(p.grants.groups) }

// User returns the permissions that the user has by himself, sorted. Python: user.get_user_permissions.
func (p *Permissions) User() []string { return slices.Clone(p.grants.user) }

// Group returns those that he has by his groups, sorted. Python: user.get_group_permissions.
func (p *Permissions) Group() []string { return slices.Clone(p.grants.group) }

// All returns all of them, sorted; those of a superuser are all that there are.
// Python: user.get_all_permissions.
func (p *Permissions) All() []string { return tidy(slices.Concat(p.grants.user, p.grants.group)) }

func contains(sorted []string, text string) bool {
	_, found := slices.BinarySearch(sorted, text)
	return found
}

func containsBelow(sorted []string, prefix string) bool {
	i, _ := slices.BinarySearch(sorted, prefix)
	return i < len(sorted) && strings.HasPrefix(sorted[i], prefix)
}

// tidy sorts a list and leaves each text in it once.
func tidy(list []string) []string {
	slices.Sort(list)
	return slices.Clip(slices.Compact(list))
}

// nothing is what a visitor may do, and who is inactive.
func nothing() *Permissions { return &Permissions{grants: new(grants)} }

// Permissions returns what a user may do, as ModelBackend knows it: nothing if he is not active, all if he is a
// superuser. It is remembered for a while: see PermissionConfig. An error means that the database could not
// say. Python: ModelBackend.get_all_permissions.
func (s *Store) Permissions(ctx context.Context, user *djangocompat.User) (*Permissions, error) {
	if !user.IsAuthenticated() || !user.IsActive {
		return nothing(), nil
	}
	key := user.PK
	if user.IsSuperuser {
		key = djangocompat.PK{} // all that there are
	}
	g, err := s.grantsOf(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("load permissions: %w", err)
	}
	if !user.IsSuperuser {
		return &Permissions{grants: g}, nil
	}
	if g, err = s.ofSuperuser(ctx, user.PK, g); err != nil {
		return nil, fmt.Errorf("load permissions: %w", err)
	}
	return &Permissions{superuser: true, grants: g}, nil
}

// ofSuperuser returns all permissions with the groups that a superuser is in.
func (s *Store) ofSuperuser(ctx context.Context, pk djangocompat.PK, all *grants) (*grants, error) {
	own, err := s.grantsOf(ctx, pk)
	if err != nil {
		return nil, err
	}
	return &grants{user: all.user, group: all.user, groups: own.groups}, nil
}

// HasPerm reports whether a user has a permission, as "polls.add_choice". For a superuser nobody is asked.
// Python: user.has_perm.
func (s *Store) HasPerm(ctx context.Context, user *djangocompat.User, permission string) (bool, error) {
	return s.HasPerms(ctx, user, permission)
}

// HasPerms reports whether a user has all of these permissions. Python: user.has_perms.
func (s *Store) HasPerms(ctx context.Context, user *djangocompat.User, permissions ...string) (bool, error) {
	if almighty(user) {
		return true, nil
	}
	p, err := s.Permissions(ctx, user)
	return err == nil && p.HasAll(permissions...), err
}

// HasModulePerms reports whether a user has any permission in an app, as "polls".
// Python: user.has_module_perms.
func (s *Store) HasModulePerms(ctx context.Context, user *djangocompat.User, app string) (bool, error) {
	if almighty(user) {
		return true, nil
	}
	p, err := s.Permissions(ctx, user)
	return err == nil && p.HasModule(app), err
}

// InGroup reports whether an active user is in the group of a name.
func (s *Store) InGroup(ctx context.Context, user *djangocompat.User, name string) (bool, error) {
	if !user.IsAuthenticated() || !user.IsActive {
		return false, nil
	}
	g, err := s.grantsOf(ctx, user.PK)
	if err != nil {
		return false, fmt.Errorf("load groups: %w", err)
	}
	return contains(g.groups, name), nil
}

// almighty reports whether a user has every permission, even one that there is not.
func almighty(u *djangocompat.User) bool { return u.IsAuthenticated() && u.IsActive && u.IsSuperuser }

// grantsOf returns what the tables say of a user, or of all permissions if pk is none.
func (s *Store) grantsOf(ctx context.Context, pk djangocompat.PK) (*grants, error) {
	if g := s.granted.get(pk); g != nil {
		return g, nil
	}
	if !pk.IsZero() && !representable(pk) {
		return new(grants), nil
	}
	g, _, err := s.permissions.get(ctx, pk)
	return g, err
}

// fetchGrants is the query for what users may do.
func (s *Store) fetchGrants(ctx context.Context, pks []djangocompat.PK) (map[djangocompat.PK]*grants, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	if missing := t.permissions.missing; missing != nil {
		s.metrics.fault(missing.Fault)
		s.granted.complaint.Do(func() {
			s.cfg.Logger.LogAttrs(ctx, slog.LevelError, "permissions cannot be read; whoever needs one is not let in", slog.String("fault", missing.Error()))
		})
		return nil, missing
	}
	s.metrics.batch(lookupPermissions, len(pks))
	found := make(map[djangocompat.PK]*grants, len(pks))
	for _, pk := range pks {
		found[pk] = new(grants)
	}
	users := slices.DeleteFunc(slices.Clone(pks), djangocompat.PK.IsZero)
	if len(users) > 0 {
		err = s.readGrants(ctx, t, users, found)
	}
	if all := found[djangocompat.PK{}]; all != nil && err == nil {
		err = s.readEvery(ctx, t, all)
	}
	if faultOf(err) == FaultValue && len(pks) > 1 {
		return apart(ctx, pks, s.fetchGrants)
	}
	if err != nil {
		return nil, s.noted(err)
	}
	for pk, g := range found {
		g.user, g.group, g.groups = tidy(g.user), tidy(g.group), tidy(g.groups)
		s.granted.put(pk, g)
	}
	return found, nil
}

// readGrants adds to found what the tables say of users.
func (s *Store) readGrants(ctx context.Context, t *tables, users []djangocompat.PK, found map[djangocompat.PK]*grants) error {
	rows := 0
	pk := pkValue{kind: t.pkKind}
	return s.db.query(ctx, t.permissionsOf(users), func(scan func(...any) error) error {
		var kind int
		var first, second textValue
		if err := scan(&pk, &kind, &first, &second); err != nil {
			return err
		}
		g := found[pk.pk]
		if rows++; rows > maxGrants {
			return errTooMany
		}
		if g == nil {
			return nil // a key that the database takes for the same, as in other letters
		}
		switch kind {
		case rowUserPermission:
			g.user = append(g.user, permission(first, second))
		case rowGroupPermission:
			g.group = append(g.group, permission(first, second))
		case rowGroup:
			g.groups = append(g.groups, unique.Make(string(first)).Value())
		}
		return nil
	})
}

// readEvery adds to all the permissions that there are.
func (s *Store) readEvery(ctx context.Context, t *tables, all *grants) error {
	return s.db.query(ctx, t.everyPermission(), func(scan func(...any) error) error {
		var app, codename textValue
		if err := scan(&app, &codename); err != nil {
			return err
		}
		if len(all.user) >= maxGrants {
			return errTooMany
		}
		all.user = append(all.user, permission(app, codename))
		return nil
	})
}

// errTooMany ends a query that brings too much.
var errTooMany = fmt.Errorf("sessionstore: more than %d permissions", maxGrants)

// permission writes a permission; users who have the same one share its text.
func permission(app, codename textValue) string {
	return unique.Make(string(app) + "." + string(codename)).Value()
}
