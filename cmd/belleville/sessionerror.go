package main

import (
	"errors"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// sessionTrouble says what is wrong with a session, and what to look at.
func sessionTrouble(err error) error {
	for _, t := range []struct {
		err  error
		text string
	}{
		{sessionstore.ErrNoSession, "there is no such session: it was deleted, as by a logout, or it is in another database, cache or table"},
		{sessionstore.ErrSessionExpired, "the session has expired"},
		{djangocompat.ErrSignatureExpired, "the session has expired"},
		{djangocompat.ErrBadSignature, "no key of the configuration signed the session: compare django.secret_key, its fallbacks and django.session_salt with the site's"},
		{djangocompat.ErrTooLarge, "the session is larger than database.max_session_size"},
		{djangocompat.ErrPickled, "the session is a pickle, and django.session_serializer is JSON: Django does not read it either"},
		{djangocompat.ErrMalformed, "the session is signed rightly and damaged, or of another serializer than django.session_serializer"},
	} {
		if errors.Is(err, t.err) {
			return errors.New(t.text)
		}
	}
	return toldError(err)
}

// refusals say why nobody is logged in with a session.
func refusal(r sessionstore.Reason) string {
	switch r {
	case sessionstore.NoLogin:
		return "nobody is logged in with this session"
	case sessionstore.BackendNotConfigured:
		return "the backend that logged the user in is not in django.authentication_backends"
	case sessionstore.BadPK:
		return "the session's user is no primary key of the user table"
	case sessionstore.NoSuchUser:
		return "the user is not in the user table, or django.user.where hides the row"
	case sessionstore.Inactive:
		return "the user is inactive"
	case sessionstore.HashMissing:
		return "the session has no auth hash, which every login since Django 1.7 writes"
	case sessionstore.HashMismatch:
		return "the user's password was changed since the login, or the key that made the auth hash is neither django.secret_key nor a fallback"
	}
	return ""
}
