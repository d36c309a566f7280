package sessionstore

import (
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/belleville/belleville/djangocompat"
)

// The types below take a column's value from either database: as sql.Scanner, and without a detour from
// pgx. What a column should not hold becomes the zero value: only a primary key and a password decide
// anything, and a wrong one is nobody's.

// textValue takes a text; NULL is "".
type textValue string

// Scan implements sql.Scanner.
func (v *textValue) Scan(src any) error {
	switch src := src.(type) {
	case string:
		*v = textValue(src)
	case []byte:
		*v = textValue(src)
	case int64:
		*v = textValue(strconv.FormatInt(src, 10))
	default:
		*v = ""
	}
	return nil
}

// ScanText implements pgtype.TextScanner.
func (v *textValue) ScanText(src pgtype.Text) error {
	*v = textValue(src.String)
	return nil
}

// nullText takes a text, and knows NULL from "".
type nullText struct {
	text string
	ok   bool
}

// Scan implements sql.Scanner.
func (v *nullText) Scan(src any) error {
	v.ok = src != nil
	return (*textValue)(&v.text).Scan(src)
}

// ScanText implements pgtype.TextScanner.
func (v *nullText) ScanText(src pgtype.Text) error {
	v.text, v.ok = src.String, src.Valid
	return nil
}

// boolValue takes a bool; SQLite has 0 and 1.
type boolValue bool

// Scan implements sql.Scanner.
func (v *boolValue) Scan(src any) error {
	switch src := src.(type) {
	case bool:
		*v = boolValue(src)
	case int64:
		*v = src != 0
	default:
		*v = false
	}
	return nil
}

// ScanBool implements pgtype.BoolScanner.
func (v *boolValue) ScanBool(src pgtype.Bool) error {
	*v = boolValue(src.Bool)
	return nil
}

// timeValue takes a time. SQLite has Django's text for it, or what the driver makes of that: a time whose
// zone is not known to it.
type timeValue struct {
	time.Time
	location *time.Location // of times that are kept as text, else nil
}

// Scan implements sql.Scanner.
func (v *timeValue) Scan(src any) error {
	switch src := src.(type) {
	case time.Time:
		if v.location != nil {
			src = time.Date(src.Year(), src.Month(), src.Day(), src.Hour(), src.Minute(), src.Second(), src.Nanosecond(), v.location)
		}
		v.Time = src.UTC()
	case string:
		v.Time = parseTime(src, v.location)
	default:
		v.Time = time.Time{}
	}
	return nil
}

// ScanTimestamptz implements pgtype.TimestamptzScanner. An infinite time is none.
func (v *timeValue) ScanTimestamptz(src pgtype.Timestamptz) error {
	v.Time = time.Time{}
	if src.Valid && src.InfinityModifier == pgtype.Finite {
		v.Time = src.Time.UTC()
	}
	return nil
}

// sqliteTime is how Django writes a datetime into SQLite: str() of it, without a zone.
const (
	sqliteTime      = "2006-01-02 15:04:05"
	sqliteTimeMicro = "2006-01-02 15:04:05.000000"
)

// formatTime writes t as Django does. Python: str(datetime).
func formatTime(t time.Time, location *time.Location) string {
	t = t.In(location).Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format(sqliteTime)
	}
	return t.Format(sqliteTimeMicro)
}

// parseTime reads what formatTime writes; the zero time is none.
func parseTime(text string, location *time.Location) time.Time {
	if location == nil {
		return time.Time{}
	}
	t, err := time.ParseInLocation(sqliteTime, text, location) // takes a fraction, too
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// pkValue takes a primary key.
type pkValue struct {
	pk   djangocompat.PK
	kind djangocompat.PKKind
}

// Scan implements sql.Scanner.
func (v *pkValue) Scan(src any) error {
	if b, ok := src.([]byte); ok {
		src = string(b)
	}
	pk, err := djangocompat.PKFrom(v.kind, src)
	if err != nil {
		return fmt.Errorf("sessionstore: primary key is a %T", src)
	}
	v.pk = pk
	return nil
}

// ScanInt64 implements pgtype.Int64Scanner.
func (v *pkValue) ScanInt64(src pgtype.Int8) error {
	if v.pk = (djangocompat.PK{}); src.Valid {
		v.pk = djangocompat.IntPK(src.Int64)
	}
	return nil
}

// ScanUUID implements pgtype.UUIDScanner.
func (v *pkValue) ScanUUID(src pgtype.UUID) error {
	if v.pk = (djangocompat.PK{}); src.Valid {
		v.pk = djangocompat.UUIDPK(src.Bytes)
	}
	return nil
}

// extraValue takes any value, as what JSON could hold, or a time.
type extraValue struct{ value any }

// Scan implements sql.Scanner.
func (v *extraValue) Scan(src any) error {
	switch src := src.(type) {
	case nil, bool, int64, float64, string:
		v.value = src
	case []byte:
		v.value = string(src)
	case time.Time:
		v.value = src.UTC()
	default:
		v.value = fmt.Sprint(src)
	}
	return nil
}
