package tcg_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"rhea/internal/guest/x86"
)

// The vectors were captured in 64-bit mode, but none of sse and x87 has a REX
// prefix or anything else that 32-bit code cannot do, so none is left out.
// Those with q:0, where QEMU differs from the processor (stack faults, the
// denormal exception, #UD of MOVLPD's register forms), follow from the SDM and
// pass like the others.

// fpChange is what a vector's fo holds: what has changed.
type fpChange struct {
	MXCSR *uint32           `json:"mxcsr"`
	X     map[string]string `json:"x"`
	CW    *uint32           `json:"cw"`
	SW    *uint32           `json:"sw"`
	TW    *uint32           `json:"tw"`
	ST    map[string]string `json:"st"`
}

func le64(b []byte) uint64 {
	return uint64(get32(b, 0)) | uint64(get32(b, 4))<<32
}

func putLE64(b []byte, v uint64) {
	put32(b, 0, uint32(v))
	put32(b, 4, uint32(v>>32))
}

// loadFP sets the XMM registers, or the x87 if the vector has that.
func (r *rig) loadFP(v *vector386) {
	fi := v.FI
	r.cpu.SetRegisters(func(s *x86.State) {
		if fi.X != nil {
			for i, x := range fi.X {
				b := unhex(x)
				s.XMM[i] = [2]uint64{le64(b), le64(b[8:])}
			}
			s.MXCSR = uint64(fi.MXCSR)
			return
		}
		s.FCW = uint64(fi.CW)
		s.FSW, s.FTop = uint64(fi.SW)&^(7<<11), uint64(fi.SW>>11&7)
		s.FTW = uint64(fi.TW)
		for i, x := range fi.ST {
			b := unhex(x)
			s.FPR[(s.FTop+uint64(i))&7] = [2]uint64{le64(b), uint64(b[8]) | uint64(b[9])<<8}
		}
	})
}

// checkFP compares them.
func (r *rig) checkFP(v *vector386) string {
	var fo fpChange
	if len(v.FO) > 0 {
		if err := json.Unmarshal(v.FO, &fo); err != nil {
			return err.Error()
		}
	}
	s := r.cpu.Registers()
	if v.FI.X != nil {
		return checkXMM(s, v.FI, &fo)
	}
	return checkX87(s, v, &fo)
}

func changed(old uint32, p *uint32) uint32 {
	if p != nil {
		return *p
	}
	return old
}

func checkXMM(s *x86.State, fi *fpState, fo *fpChange) string {
	for i, x := range fi.X {
		if y, ok := fo.X[strconv.Itoa(i)]; ok {
			x = y
		}
		var b [16]byte
		putLE64(b[:], s.XMM[i][0])
		putLE64(b[8:], s.XMM[i][1])
		if want := unhex(x); !bytes.Equal(b[:], want) {
			return fmt.Sprintf("xmm%d is %x, want %x", i, b, want)
		}
	}
	if want := changed(fi.MXCSR, fo.MXCSR); uint32(s.MXCSR) != want {
		return fmt.Sprintf("mxcsr is %#x, want %#x (before: %#x)", s.MXCSR, want, fi.MXCSR)
	}
	return ""
}

func checkX87(s *x86.State, v *vector386, fo *fpChange) string {
	fi := v.FI
	sw := uint32(s.FSW | s.FTop<<11)
	if want := changed(fi.SW, fo.SW); (sw^want)&v.SWK != 0 {
		return fmt.Sprintf("sw is %#x, want %#x under %#x (cw %#x)", sw&v.SWK, want&v.SWK, v.SWK, fi.CW)
	}
	if want := changed(fi.CW, fo.CW); uint32(s.FCW) != want {
		return fmt.Sprintf("cw is %#x, want %#x", s.FCW, want)
	}
	tw := changed(fi.TW, fo.TW)
	if uint32(s.FTW) != tw {
		return fmt.Sprintf("tw is %#x, want %#x", s.FTW, tw)
	}
	for i, x := range fi.ST {
		n := (s.FTop + uint64(i)) & 7
		if y, ok := fo.ST[strconv.Itoa(i)]; ok {
			x = y
		}
		if tw>>n&1 == 0 {
			continue
		}
		var b [10]byte
		var lo [8]byte
		putLE64(lo[:], s.FPR[n][0])
		copy(b[:], lo[:])
		b[8], b[9] = byte(s.FPR[n][1]), byte(s.FPR[n][1]>>8)
		if want := unhex(x); !bytes.Equal(b[:], want) {
			return fmt.Sprintf("st%d is %x, want %x", i, b, want)
		}
	}
	return ""
}
