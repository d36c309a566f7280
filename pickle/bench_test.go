package pickle_test

import (
	"bytes"
	"fmt"
	"testing"

	ogorek "github.com/kisielk/og-rek"

	"github.com/belleville/belleville/pickle"
)

// benchCases are pickles of usual and unusual size.
func benchCases(b *testing.B) []*vector {
	var chosen []*vector
	for _, v := range loadVectors(b, "core", "common") {
		switch v.Name {
		case "login/p4", "dict_1100/p4", "large_mixed/p4", "cache/redis/cache/large":
			chosen = append(chosen, v)
		}
	}
	return chosen
}

func BenchmarkDecode(b *testing.B) {
	for _, v := range benchCases(b) {
		b.Run(fmt.Sprintf("%s_%d_bytes", v.Name, len(v.pickle)), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(v.pickle)))
			for b.Loop() {
				if _, err := pickle.Decode(v.pickle, pickle.Config{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOgrekDecode is for comparison. It leaves dates and Decimals symbolic.
func BenchmarkOgrekDecode(b *testing.B) {
	for _, v := range benchCases(b) {
		b.Run(fmt.Sprintf("%s_%d_bytes", v.Name, len(v.pickle)), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(v.pickle)))
			for b.Loop() {
				if _, err := ogrekDecode(v.pickle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, v := range benchCases(b) {
		value := decode(b, string(v.pickle))
		b.Run(v.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pickle.Encode(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOgrekEncode(b *testing.B) {
	for _, v := range benchCases(b) {
		value, err := ogrekDecode(v.pickle)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(v.Name, func(b *testing.B) {
			b.ReportAllocs()
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				config := &ogorek.EncoderConfig{Protocol: 4, StrictUnicode: true}
				if err := ogorek.NewEncoderWithConfig(&out, config).Encode(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	for _, v := range benchCases(b) {
		value := decode(b, string(v.pickle))
		b.Run(v.Name, func(b *testing.B) {
			b.ReportAllocs()
			var text []byte
			for b.Loop() {
				var err error
				if text, err = pickle.AppendJSON(text[:0], value, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
