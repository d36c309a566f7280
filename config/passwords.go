package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/belleville/belleville/djangocompat"
)

// PasswordCost is how much work the site's password hashers do, where a class of its own has changed it.
type PasswordCost struct {
	Iterations    int `toml:"iterations"`
	BCryptRounds  int `toml:"bcrypt_rounds"`
	ScryptN       int `toml:"scrypt_n"`
	ScryptR       int `toml:"scrypt_r"`
	ScryptP       int `toml:"scrypt_p"`
	Argon2Time    int `toml:"argon2_time"`
	Argon2Memory  int `toml:"argon2_memory"`
	Argon2Threads int `toml:"argon2_threads"`
}

// passwords returns the site's hashers.
func (d Django) passwords() djangocompat.HasherConfig {
	c := d.PasswordCost
	return djangocompat.HasherConfig{
		Django: d.Version, Hashers: d.PasswordHashers,
		Iterations: c.Iterations, BCryptRounds: c.BCryptRounds,
		ScryptN: c.ScryptN, ScryptR: c.ScryptR, ScryptP: c.ScryptP,
		Argon2Time: c.Argon2Time, Argon2Memory: c.Argon2Memory, Argon2Threads: c.Argon2Threads,
	}
}

// passwords checks the password hashers.
func (l *loader) passwords() {
	d := l.config.Django
	if hasherProblem(djangocompat.HasherConfig{Django: d.Version}) != "" {
		if !l.mistakes.has("django.version") {
			l.mistakes.add("django.version", quote(d.Version)+" is no version of Django", `write it as in "4.2"`)
		}
		return
	}
	const first = "pbkdf2_sha256" // a hasher may read only, except the first
	sound := true
	for i, name := range d.PasswordHashers {
		if problem := hasherProblem(djangocompat.HasherConfig{Hashers: []string{first, name}}); problem != "" {
			sound = false
			l.mistakes.add("django.password_hashers["+strconv.Itoa(i)+"]", problem,
				"copy PASSWORD_HASHERS from the site's settings; of a class of the site's own that changes the cost, write the algorithm")
		}
	}
	if !sound {
		return
	}
	if len(d.PasswordHashers) > 0 {
		if problem := hasherProblem(djangocompat.HasherConfig{Hashers: d.PasswordHashers[:1]}); problem != "" {
			l.mistakes.add("django.password_hashers[0]", problem, "as in the site's settings")
			return
		}
	}
	if problem := hasherProblem(d.passwords()); problem != "" {
		l.mistakes.add("django.password_cost", problem, "copy it from the site's hasher, or take it out for Django's")
	}
}

// hasherProblem says what is wrong with hashers; "" if nothing is.
func hasherProblem(cfg djangocompat.HasherConfig) string {
	_, err := djangocompat.NewPasswordHashers(cfg)
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*djangocompat.HasherError](err); ok && len(e.Name) > 100 {
		return "the name of a hasher is too long"
	}
	return strings.TrimPrefix(err.Error(), "djangocompat: ")
}
