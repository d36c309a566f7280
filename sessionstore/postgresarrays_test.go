package sessionstore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestKeysCodec holds that arrays of keys are encoded as pgx itself encodes them.
func TestKeysCodec(t *testing.T) {
	tests := []struct {
		name   string
		oid    uint32
		format int16
		value  any
	}{
		{"no texts", pgtype.TextArrayOID, pgtype.BinaryFormatCode, []string{}},
		{"texts that are NULL", pgtype.TextArrayOID, pgtype.BinaryFormatCode, []string(nil)},
		{"one text", pgtype.TextArrayOID, pgtype.BinaryFormatCode, []string{"key"}},
		{"texts of many lengths", pgtype.TextArrayOID, pgtype.BinaryFormatCode, []string{"", "ü", strings.Repeat("k", 70_000), `"{,}`}},
		{"texts as text", pgtype.TextArrayOID, pgtype.TextFormatCode, []string{"a", `"b`}},
		{"texts for another type of array", pgtype.VarcharArrayOID, pgtype.BinaryFormatCode, []string{"a"}},
		{"no numbers", pgtype.Int8ArrayOID, pgtype.BinaryFormatCode, []int64{}},
		{"numbers that are NULL", pgtype.Int8ArrayOID, pgtype.BinaryFormatCode, []int64(nil)},
		{"numbers", pgtype.Int8ArrayOID, pgtype.BinaryFormatCode, []int64{0, 1, -1, 1<<63 - 1, -1 << 63}},
		{"numbers as text", pgtype.Int8ArrayOID, pgtype.TextFormatCode, []int64{7}},
		{"numbers for an array of smaller ones", pgtype.Int4ArrayOID, pgtype.BinaryFormatCode, []int64{7}},
		{"smaller numbers", pgtype.Int8ArrayOID, pgtype.BinaryFormatCode, []int32{7}},
	}
	own, pgxs := pgtype.NewMap(), pgtype.NewMap()
	registerKeys(own)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := []byte("before")
			got, err := own.Encode(tt.oid, tt.format, tt.value, bytes.Clone(before))
			want, wantErr := pgxs.Encode(tt.oid, tt.format, tt.value, bytes.Clone(before))
			if !bytes.Equal(got, want) || (got == nil) != (want == nil) || err != nil || wantErr != nil {
				t.Errorf("Encode = %q, %v, want %q, %v", got, err, want, wantErr)
			}
		})
	}
}
