package tcg_test

import (
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rhea/internal/accel/tcg"
)

// A program with more code than there is code memory loses the oldest of it,
// again and again, but never all.
func TestEviction(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	const (
		functions, rounds = 12000, 4
		base, size        = 0x100000, 32
	)
	for _, engine := range engines()[1:] {
		r := newFlatRig(t, engine, "", func(c *tcg.Config) { c.CacheSize = 1 << 20 })
		copy(r.ram[0x10000:], assemble(t, 32, 0x10000, map[string]uint32{}, `mov edx, `+strconv.Itoa(rounds)+`
			mov eax, 0
			again: mov ebx, `+strconv.Itoa(base)+`
			mov ecx, `+strconv.Itoa(functions)+`
			next: call ebx
			add ebx, `+strconv.Itoa(size)+`
			dec ecx
			jnz next
			dec edx
			jnz again
			out 0x7f, al
			end: jmp end`))
		sum := uint32(0)
		for i := range functions {
			// ADD EAX, n; TEST EAX, EAX; JNS +2; XOR EAX, EBX; ADD EAX, EBX; JMP +0; RET
			f := r.ram[base+i*size:]
			copy(f, []byte{0x05, 0, 0, 0, 0, 0x85, 0xc0, 0x79, 2, 0x31, 0xd8, 0x01, 0xd8, 0xeb, 0, 0xc3})
			binary.LittleEndian.PutUint32(f[1:], uint32(i)*0x9e3779b9)
		}
		for range rounds {
			for i := range uint32(functions) {
				if sum += i * 0x9e3779b9; int32(sum) < 0 {
					sum ^= base + i*size
				}
				sum += base + i*size
			}
		}
		if _, err := r.vcpu.Run(0); err != nil {
			t.Fatal(err)
		}
		if got := uint32(r.cpu.Registers().GPR[0]); got != sum {
			t.Errorf("%s: the sum is %#x, want %#x", engine, got, sum)
		}
		var b strings.Builder
		r.vcpu.Report(&b)
		m := regexp.MustCompile(`Flushes: (\d+), and of segments (\d+)`).FindStringSubmatch(b.String())
		if m == nil || m[1] != "0" || engine == "tcg" && len(m[2]) < 2 {
			t.Errorf("%s: %s", engine, b.String())
		}
	}
}
