package sessionstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/belleville/belleville/djangocompat"
)

// PermissionTables names the tables behind user.has_perm() and user.groups. The zero PermissionTables are
// Django's own; the last two are named after the user table, as Django does it. A table that is named here must
// exist; without one of its default name only superusers are known to be permitted anything.
type PermissionTables struct {
	Permissions      string // default: "auth_permission"
	ContentTypes     string // default: "django_content_type"
	Groups           string // default: "auth_group"
	GroupPermissions string // default: "auth_group_permissions"
	UserGroups       string // default: UserTable.Table + "_groups"
	UserPermissions  string // default: UserTable.Table + "_user_permissions"

	// UserColumn is the column of the last two that holds the user's key. Default: the one that is neither
	// "id" nor "group_id" nor "permission_id".
	UserColumn string
}

// permissionTable is one of the tables, and what it must have.
type permissionTable struct {
	setting, given, standard string
	columns                  []string
	ofUser                   bool // it has the user's key, too
}

func (p PermissionTables) list(users string) [6]permissionTable {
	return [...]permissionTable{
		{"permissions", p.Permissions, "auth_permission", []string{"id", "content_type_id", "codename"}, false},
		{"content_types", p.ContentTypes, "django_content_type", []string{"id", "app_label"}, false},
		{"groups", p.Groups, "auth_group", []string{"id", "name"}, false},
		{"group_permissions", p.GroupPermissions, "auth_group_permissions", []string{"group_id", "permission_id"}, false},
		{"user_groups", p.UserGroups, users + "_groups", []string{"group_id"}, true},
		{"user_permissions", p.UserPermissions, users + "_user_permissions", []string{"permission_id"}, true},
	}
}

// check refuses what is no name of a table or a column.
func (p PermissionTables) check() error {
	for _, t := range p.list("") {
		if t.given == "" {
			continue
		}
		if err := checkName("user permissions table "+t.setting, t.given); err != nil {
			return err
		}
	}
	return checkName("user permissions column", orDefault(p.UserColumn, "user_id"))
}

// permissionSQL is how permissions are asked for. With missing there are none to ask for, and it says why.
type permissionSQL struct {
	missing *DatabaseError

	permissions, contentTypes, groups, groupPermissions string // quoted
	userGroups, userPermissions                         string // quoted
	groupsUser, permissionsUser                         string // the columns with the user's key, quoted
}

// resolvePermissions finds the permission tables.
func (t *tables) resolvePermissions(ctx context.Context, db database, u UserTable) error {
	var names, users [6]string
	for i, p := range u.Permissions.list(u.Table) {
		name := orDefault(p.given, p.standard)
		names[i] = t.dialect.table(name)
		has, err := db.columns(ctx, name)
		if err != nil {
			return err
		}
		if err = require(has, "permission table "+p.setting, name, p.columns); err == nil && p.ofUser {
			users[i], err = userColumn(has, name, u.Permissions.UserColumn)
		}
		missing, _ := err.(*DatabaseError)
		switch {
		case err != nil && (p.given != "" || missing == nil):
			return err
		case err != nil && t.permissions.missing == nil:
			t.permissions.missing = missing
		}
	}
	if t.permissions.missing != nil {
		return nil
	}
	t.permissions = permissionSQL{
		permissions: names[0], contentTypes: names[1], groups: names[2], groupPermissions: names[3],
		userGroups: names[4], userPermissions: names[5], groupsUser: users[4], permissionsUser: users[5],
	}
	return t.tryPermissions(ctx, db)
}

// userColumn returns which of a table's columns has the user's key, quoted.
func userColumn(has map[string]columnType, table, given string) (string, error) {
	if given != "" {
		return quote(given), require(has, "permission table", table, []string{given})
	}
	var names []string
	for name := range has {
		if !slices.Contains([]string{"id", "group_id", "permission_id"}, name) {
			names = append(names, name)
		}
	}
	if len(names) != 1 {
		detail := fmt.Sprintf("permission table: %q has not one column for the user's key: name it", table)
		return "", &DatabaseError{Fault: FaultSchema, Detail: detail}
	}
	return quote(names[0]), nil
}

// tryPermissions sees whether the tables may be read: the role may be one that was made for sessions alone.
func (t *tables) tryPermissions(ctx context.Context, db database) error {
	for _, q := range []statement{t.everyPermission(), t.permissionsOf(nil)} {
		q.sql += " LIMIT 0"
		err := db.query(ctx, q, func(func(...any) error) error { return nil })
		if faultOf(err) == FaultForbidden {
			t.permissions.missing = &DatabaseError{Fault: FaultForbidden, Detail: "the role may not read the permission tables"}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The kinds of rows that permissionsOf reads.
const (
	rowUserPermission = iota
	rowGroupPermission
	rowGroup
)

// permissionsOf reads user, kind, and the two parts of a permission, or a group's name.
func (t *tables) permissionsOf(pks []djangocompat.PK) statement {
	p := &t.permissions
	isOne := func(column string) string { return t.dialect.oneOf(column, t.pkKind, len(pks)) }
	permission := " JOIN " + p.permissions + ` p ON p."id" = `
	contentType := " JOIN " + p.contentTypes + ` c ON c."id" = p."content_type_id" WHERE `
	sql := "SELECT u." + p.permissionsUser + `, 0, c."app_label", p."codename" FROM ` + p.userPermissions + " u" +
		permission + `u."permission_id"` + contentType + isOne("u."+p.permissionsUser) +
		" UNION ALL SELECT u." + p.groupsUser + `, 1, c."app_label", p."codename" FROM ` + p.userGroups + " u JOIN " +
		p.groupPermissions + ` g ON g."group_id" = u."group_id"` + permission + `g."permission_id"` + contentType + isOne("u."+p.groupsUser) +
		" UNION ALL SELECT u." + p.groupsUser + `, 2, g."name", '' FROM ` + p.userGroups + " u JOIN " +
		p.groups + ` g ON g."id" = u."group_id" WHERE ` + isOne("u."+p.groupsUser)
	return statement{sql, t.dialect.pks(t.pkKind, pks)}
}

// everyPermission reads the parts of all permissions that there are.
func (t *tables) everyPermission() statement {
	p := &t.permissions
	return statement{sql: `SELECT c."app_label", p."codename" FROM ` + p.permissions + " p JOIN " +
		p.contentTypes + ` c ON c."id" = p."content_type_id"`}
}
