package config

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/server"
	"github.com/belleville/belleville/sessionstore"
)

// SigningKeys returns SECRET_KEY and its fallbacks.
func (c *Config) SigningKeys() djangocompat.Keys {
	fallbacks := make([]string, len(c.Django.SecretKeyFallbacks))
	for i, f := range c.Django.SecretKeyFallbacks {
		fallbacks[i] = f.Reveal()
	}
	return djangocompat.NewKeys(c.Django.SecretKey.Reveal(), fallbacks...)
}

// Sessions returns the Config of the store.
func (c *Config) Sessions(reg prometheus.Registerer, logger *slog.Logger) sessionstore.Config {
	d := c.Django
	s := sessionstore.Config{
		DatabaseURL:            d.DatabaseURL,
		Keys:                   c.SigningKeys(),
		SessionEngine:          d.SessionEngine,
		SessionFilePath:        d.SessionFilePath,
		SessionCookieName:      d.SessionCookieName,
		Schema:                 c.Database.Schema,
		SessionTable:           d.SessionTable,
		Users:                  d.User.table(),
		Tokens:                 c.tokenTables(),
		Salt:                   d.SessionSalt,
		MaxSessionSize:         c.Database.MaxSessionSize,
		RefuseLegacy:           d.RefuseLegacy,
		CookieAge:              time.Duration(d.SessionCookieAge),
		ExpireAtBrowserClose:   d.SessionExpireAtBrowserClose,
		AuthenticationBackends: d.AuthenticationBackends,
		InactiveBackends:       d.InactiveBackends,
		Passwords:              d.passwords(),
		MaxHashing:             c.Limits.MaxHashing,
		PoolSize:               c.Database.PoolSize,
		QueryTimeout:           c.Database.QueryTimeout,
		ConnectTimeout:         c.Database.ConnectTimeout,
		QueryExecMode:          c.Database.QueryExecMode,
		MaxWaiting:             c.Database.MaxWaiting,
		ListenURL:              c.Database.ListenURL,
		CacheAge:               c.Live.CacheAge,
		CacheBytes:             c.Live.CacheBytes,
		Registerer:             reg,
		Logger:                 logger,
	}
	s.SessionCache, _ = d.sessionCache() // likewise
	if djangocompat.SignsWithSHA1(d.Version) {
		keys := s.Keys
		s.WriteLegacy = true
		s.AuthHash = func(_ *djangocompat.User, password string) string {
			return djangocompat.LegacySessionAuthHash(keys, password)
		}
	}
	s.SessionSerializer, _ = djangocompat.ParseSerializer(d.SessionSerializer) // it was checked
	if !d.UseTZ {
		s.Location, _ = time.LoadLocation(d.TimeZone) // it was checked
	}
	return s
}

// table returns the table of users.
func (u User) table() sessionstore.UserTable {
	return sessionstore.UserTable{
		Table: u.Table, PK: u.PK, Username: u.Username, Password: u.Password,
		IsActive: u.IsActive, IsStaff: u.IsStaff, IsSuperuser: u.IsSuperuser,
		FirstName: u.FirstName, LastName: u.LastName, Email: u.Email,
		LastLogin: u.LastLogin, DateJoined: u.DateJoined,
		Extra: u.Columns, Where: u.Where,
		Permissions: sessionstore.PermissionTables{
			Permissions: u.PermissionTable, ContentTypes: u.ContentTypeTable, Groups: u.GroupTable,
			GroupPermissions: u.GroupPermissionsTable, UserGroups: u.UserGroupsTable,
			UserPermissions: u.UserPermissionsTable, UserColumn: u.UserColumn,
		},
	}
}

// Server returns the Config of the server.
func (c *Config) Server(reg prometheus.Registerer, logger *slog.Logger) server.Config {
	m := c.Limits
	return server.Config{
		MaxMessage: m.MaxMessage, MaxFragments: m.MaxFragments, MaxControlFrames: m.MaxControlFrames,
		MaxHead: m.MaxHead, MaxHeaders: m.MaxHeaders,
		HandshakeTimeout: m.HandshakeTimeout,
		MaxConnections:   m.MaxConnections, MaxConnectionsPerAddress: m.MaxConnectionsPerAddress, MaxConnectionsPerUser: m.MaxConnectionsPerUser,
		HandshakeRate: m.HandshakeRate, HandshakeBurst: m.HandshakeBurst, MessageRate: m.MessageRate, MessageBurst: m.MessageBurst,
		MessageRatePerUser: m.MessageRatePerUser, MessageBurstPerUser: m.MessageBurstPerUser,
		MaxAge: m.MaxAge, UserTimeout: m.UserTimeout, DrainCode: consumers.CloseCode(m.DrainCode), ProxyProtocol: c.ProxyProtocol,
		QueueBytes: m.QueueBytes, QueueFrames: m.QueueFrames, WriteTimeout: m.WriteTimeout,
		PingInterval: m.PingInterval, PongTimeout: m.PongTimeout,
		DrainWindow: m.DrainWindow, DrainTimeout: m.DrainTimeout,
		TrustedProxies: c.TrustedProxies, RootPath: c.RootPath, Loops: m.Loops,
		Logger: logger, Registerer: reg,
	}
}
