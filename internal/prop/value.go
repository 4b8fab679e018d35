package prop

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Units of Size.
const (
	B uint64 = 1 << (10 * iota)
	KiB
	MiB
	GiB
	TiB
	PiB
	EiB
)

var errSize = errors.New("not a size: a number with an optional suffix b, k, M, G, T, P or E is expected")

// Size reads "512M", "1.5G", "219136k", "0x1000". A number without a suffix
// is in the given unit.
func Size(s string, unit uint64) (uint64, error) {
	num := s
	if n := len(s); n > 0 && !strings.HasPrefix(strings.ToLower(s), "0x") {
		if i := strings.IndexByte("bkmgtpe", s[n-1]|0x20); i >= 0 {
			num, unit = s[:n-1], uint64(1)<<(10*i)
		}
	}
	if strings.ContainsAny(num, "+-_eE/ ") && !strings.HasPrefix(num, "0x") || num == "" {
		return 0, errSize
	}
	if v, err := strconv.ParseUint(num, 0, 64); err == nil && !leadingZero(num) {
		if v > math.MaxUint64/unit {
			return 0, fmt.Errorf("'%s' is too large", s)
		}
		return v * unit, nil
	}
	// Decimal, with a fraction perhaps.
	r, ok := new(big.Rat).SetString(num)
	if !ok {
		return 0, errSize
	}
	r.Mul(r, new(big.Rat).SetUint64(unit))
	v := new(big.Int).Quo(r.Num(), r.Denom())
	if !v.IsUint64() {
		return 0, fmt.Errorf("'%s' is too large", s)
	}
	return v.Uint64(), nil
}

// leadingZero tells 0512 (decimal for us, as for QEMU's sizes) from octal.
func leadingZero(s string) bool {
	return len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
}

// FormatSize writes a size with the largest unit that divides it.
func FormatSize(n uint64) string {
	for i, u := range [...]uint64{EiB, PiB, TiB, GiB, MiB, KiB} {
		if n != 0 && n%u == 0 {
			return strconv.FormatUint(n/u, 10) + "EPTGMK"[i:i+1]
		}
	}
	return strconv.FormatUint(n, 10)
}

// OnOff reads a truth value.
func OnOff(s string) (bool, error) {
	switch s {
	case "on", "yes", "true", "y":
		return true, nil
	case "off", "no", "false", "n":
		return false, nil
	}
	return false, fmt.Errorf("'%s' is neither 'on' nor 'off'", s)
}

// Uint reads a number of at most the given bits.
func Uint(s string, bits int) (uint64, error) {
	v, err := strconv.ParseUint(s, 0, bits)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("'%s' is too large (at most %d)", s, uint64(math.MaxUint64)>>(64-bits))
	}
	if err != nil {
		return 0, fmt.Errorf("'%s' is not a number", s)
	}
	return v, nil
}

// Nearest returns the candidate most like name, "" if none is like it.
func Nearest(name string, candidates []string) string {
	// A name of one character is near to everything.
	best, bestD := "", min(max(1, len(name)/3)+1, len(name))
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestD {
			best, bestD = c, d
		}
	}
	if best == "" && len(name) >= 3 {
		for _, c := range candidates {
			if strings.HasPrefix(c, name) && (best == "" || len(c) < len(best)) {
				best = c
			}
		}
	}
	return best
}

// DidYouMean is " (did you mean 'x'?)", or nothing.
func DidYouMean(name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return fmt.Sprintf(" (did you mean '%s'?)", n)
	}
	return ""
}

// distance is the number of letters to insert, delete, replace or swap
// (optimal string alignment).
func distance(a, b string) int {
	var d [3][]int
	for i := range d {
		d[i] = make([]int, len(b)+1)
	}
	for j := range d[1] {
		d[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		d[2][0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[2][j] = min(d[1][j]+1, d[2][j-1]+1, d[1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[2][j] = min(d[2][j], d[0][j-2]+1)
			}
		}
		d[0], d[1], d[2] = d[1], d[2], d[0]
	}
	return d[1][len(b)]
}
