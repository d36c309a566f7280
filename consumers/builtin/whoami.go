package builtin

import (
	"context"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// WhoAmI makes an Application that sends one JSON object, which describes the user, and closes with 1000.
// To an anonymous visitor it says {"is_authenticated": false, "pk": null, "username": "", …}. The columns that
// a site has configured further are not in it.
func WhoAmI() consumers.Application {
	return consumers.New(func() whoAmI { return whoAmI{} })
}

// whoAmI is one visitor, of whom nothing is kept.
type whoAmI struct{}

// description is what a visitor is told about herself.
type description struct {
	IsAuthenticated bool            `json:"is_authenticated"`
	PK              djangocompat.PK `json:"pk"`
	Username        string          `json:"username"`
	FirstName       string          `json:"first_name,omitempty"`
	LastName        string          `json:"last_name,omitempty"`
	Email           string          `json:"email,omitempty"`
	IsActive        bool            `json:"is_active"`
	IsStaff         bool            `json:"is_staff"`
	IsSuperuser     bool            `json:"is_superuser"`
	Backend         string          `json:"backend,omitempty"`
}

// Connect tells the visitor who she is.
func (whoAmI) Connect(_ context.Context, c *consumers.Conn) error {
	if err := c.Accept(); err != nil {
		return err
	}
	u := c.Scope().User
	d := description{IsAuthenticated: u.IsAuthenticated()}
	if d.IsAuthenticated {
		d.PK, d.Username, d.FirstName, d.LastName, d.Email = u.PK, u.Username, u.FirstName, u.LastName, u.Email
		d.IsActive, d.IsStaff, d.IsSuperuser, d.Backend = u.IsActive, u.IsStaff, u.IsSuperuser, u.Backend
	}
	if err := c.SendJSON(d); err != nil {
		return err
	}
	return c.Close(consumers.CloseNormal, "")
}

// Receive ignores what the visitor says.
func (whoAmI) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

// Disconnect has nothing to do.
func (whoAmI) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }
