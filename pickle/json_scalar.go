package pickle

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf16"
)

// How values that are no containers look in JSON.

// scalar writes a value of a known class.
func (r *renderer) scalar(v any) error {
	switch v := v.(type) {
	case Bytes:
		return r.base64("bytes", []byte(v))
	case *ByteArray:
		return r.base64("bytearray", v.Data)
	case []byte:
		return r.base64("bytes", v)
	case complex128:
		r.out = append(r.out, `{"$type":"complex","real":`...)
		r.float(real(v))
		r.out = append(r.out, `,"imag":`...)
		r.float(imag(v))
		r.out = append(r.out, '}')
	case SafeString:
		r.out = append(r.out, `{"$type":"SafeString","value":`...)
		r.text(string(v))
		r.out = append(r.out, '}')
	case Decimal:
		r.tagged("Decimal", string(v))
	case UUID:
		r.tagged("UUID", v.String())
	case Date:
		r.tagged("date", v.isoformat())
	case Time:
		r.time(v)
	case DateTime:
		r.dateTime(v)
	case TimeDelta:
		r.out = fmt.Appendf(r.out, `{"$type":"timedelta","days":%d,"seconds":%d,"microseconds":%d}`,
			v.Days, v.Seconds, v.Microseconds)
	case Class:
		r.opaque(v)
	case *Message:
		r.opaque(messageClass)
	case *LazyString:
		r.opaque(lazyClass)
	case Zone:
		r.out = append(r.out, `{"$type":"tzinfo","tz":`...)
		r.zone(v)
		r.out = append(r.out, '}')
	default:
		return r.goValue(v)
	}
	return nil
}

// goValue writes what Encode takes and Decode does not return.
func (r *renderer) goValue(v any) error {
	if n, ok := goInteger(v); ok {
		return r.value(n)
	}
	switch v := v.(type) {
	case float32:
		return r.value(float64(v))
	case map[string]any:
		r.keyed(identityOfMap(v), sortedEntries(v))
		return nil
	case time.Time:
		return r.value(NewDateTime(v))
	case time.Duration:
		return r.value(newTimeDeltaFrom(v))
	}
	return fmt.Errorf("pickle: cannot show a %T", v)
}

// time writes a datetime.time. Its offset is shown where its zone says it without a date.
func (r *renderer) time(t Time) {
	text := t.isoformat()
	if offset, ok := fixedOffset(t.Zone); ok {
		text += offsetText(offset)
	}
	r.moment("time", text, t)
}

// dateTime writes a datetime.datetime, without offset where its zone is not in the database.
func (r *renderer) dateTime(dt DateTime) {
	text := dt.Date.isoformat() + "T" + dt.Time.isoformat()
	if dt.Zone != nil {
		if offset, err := zoneOffset(dt, &r.zones); err == nil {
			text += offsetText(offset)
		}
	}
	r.moment("datetime", text, dt.Time)
}

func (r *renderer) moment(kind, text string, t Time) {
	r.out = fmt.Appendf(r.out, `{"$type":"%s","value":"%s","tz":`, kind, text)
	r.zone(t.Zone)
	if t.Fold != 0 {
		r.out = fmt.Appendf(r.out, `,"fold":%d`, t.Fold)
	}
	r.out = append(r.out, '}')
}

func (r *renderer) zone(z Zone) {
	switch z := z.(type) {
	case nil:
		r.out = append(r.out, "null"...)
	case UTC:
		r.out = append(r.out, `{"kind":"utc"}`...)
	case FixedZone:
		r.out = append(r.out, `{"kind":"fixed","offset_seconds":`...)
		r.out = append(r.out, floatText(float64(z.Offset.Microseconds())/microPerSecond)...)
		if z.Name != "" {
			r.out = append(r.out, `,"name":`...)
			r.text(z.Name)
		}
		r.out = append(r.out, '}')
	case ZoneInfo:
		r.namedZone(`{"kind":"zoneinfo","key":`, z.Key)
	case PytzUTC:
		r.namedZone(`{"kind":"pytz","zone":`, "UTC")
	case PytzZone:
		r.namedZone(`{"kind":"pytz","zone":`, z.Zone)
	case PytzFixed:
		r.out = fmt.Appendf(r.out, `{"kind":"pytz_fixed","offset_seconds":%d}`, z.Minutes*60)
	case *Object:
		r.opaque(z.class)
	}
}

func (r *renderer) namedZone(opening, name string) {
	r.out = append(r.out, opening...)
	r.text(name)
	r.out = append(r.out, '}')
}

func (d Date) isoformat() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

func (t Time) isoformat() string {
	text := fmt.Sprintf("%02d:%02d:%02d", t.Hour, t.Minute, t.Second)
	if t.Microsecond != 0 {
		text += fmt.Sprintf(".%06d", t.Microsecond)
	}
	return text
}

// offsetText is an offset in ISO 8601, with seconds and microseconds where it has them.
func offsetText(offset time.Duration) string {
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	seconds := int(offset / time.Second)
	text := fmt.Sprintf("%s%02d:%02d", sign, seconds/3600, seconds/60%60)
	micro := int(offset % time.Second / time.Microsecond)
	if seconds%60 != 0 || micro != 0 {
		text += fmt.Sprintf(":%02d", seconds%60)
	}
	if micro != 0 {
		text += fmt.Sprintf(".%06d", micro)
	}
	return text
}

// appendQuoted appends s as a JSON string in ASCII, as Python's json.dumps does.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\b':
			dst = append(dst, `\b`...)
		case r == '\f':
			dst = append(dst, `\f`...)
		case ' ' <= r && r <= '~':
			dst = append(dst, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = appendUnicodeEscape(appendUnicodeEscape(dst, high), low)
		default:
			dst = appendUnicodeEscape(dst, r)
		}
	}
	return append(dst, '"')
}

func appendUnicodeEscape(dst []byte, r rune) []byte {
	text := strconv.FormatUint(uint64(r)|0x10000, 16) // five digits, the first of them 1
	return append(append(dst, `\u`...), text[1:]...)
}
