# rhea: a machine emulator in Go.
#
#   make demo    boots the Debian installer on this terminal (Ctrl-A x ends it)
#   make test    all tests; guests and vectors that are not there are skipped
#   make bench   side by side with QEMU's TCG (docs/PERFORMANCE.md); BENCH="-rows boot -n 1" and the like
#   make bench-go  the Go benchmarks
#   make fuzz    random programs in all engines, FUZZ=10e6 guest instructions or more in each
#   make storm   half an hour (STORM=1m: less) of guests under signals, GC and profiling
#   make build   ./rhea, and ./rhea-user for single programs alone
#   make web     fetches what -display web shows the screen with, from the npm registry
#   make sysroots  Debian's i386 and amd64 programs, which tests of user mode run, in ~/.cache/rhea-sysroots
#   make runtimes  node, a Java machine, and the tests of Go's standard library, as i386 and x86_64 programs in user mode
#   make deps    the firmware and guests of demo and test, from Debian packages

export CGO_ENABLED = 0
GO ?= go

PACKAGES = seabios vgabios bochsbios debian-installer-12-netboot-i386 debian-installer-12-netboot-amd64 \
	grub-pc-bin grub-common xorriso isolinux syslinux-common memtest86+ mtools ipxe-qemu qemu-system-x86 cpio e2fsprogs acpica-tools \
	qemu-utils gdb-multiarch xvfb x11-apps vncsnapshot tigervnc-viewer tigervnc-tools chromium xdotool tmux pulseaudio pulseaudio-utils smartmontools eject

INSTALLER ?= /usr/lib/debian-installer/images/12/i386/text/debian-installer/i386

.PHONY: all build web demo test bench bench-go fuzz storm sysroots runtimes deps clean

all: build

build:
	$(GO) build -o rhea ./cmd/rhea
	$(GO) build -o rhea-user ./cmd/rhea-user

# noVNC and xterm.js for -display web; what is built after this carries them.
web:
	@$(GO) run ./tools/web

demo: build
	@PACKAGES="seabios vgabios debian-installer-12-netboot-i386" INSTALLER="$(INSTALLER)" sh tools/deps.sh
	@echo "Booting the Debian installer on the serial console. Ctrl-A x ends it, Ctrl-A h shows more keys."
	./rhea system -m 512 -nographic -no-reboot \
		-kernel $(INSTALLER)/linux -initrd $(INSTALLER)/initrd.gz \
		-append "console=ttyS0 TERM=linux"

# Whole guests boot in ./cmd/rhea, one after the other: it takes a while.
test: deps
	@$(GO) run ./tools/web -optional
	@$(GO) run ./tools/sysroot -optional
	$(GO) vet ./...
	$(GO) test -timeout 120m ./...

# The tool names what is missing; it makes its own guests from Debian packages (~/.cache/rhea-bench).
# The interpreter's speed comes last, in millions of guest instructions a second.
bench: build
	$(GO) run ./tools/bench $(BENCH)
	$(GO) test -run '^$$' -bench Gkbench/interp -benchtime 1x ./internal/accel/tcg

bench-go:
	$(GO) test -run '^$$' -bench . -benchtime 3s ./...

# The same programs each time; SEED=N begins elsewhere. For go's own fuzzer:
# go test -fuzz FuzzEngines ./internal/accel/tcg
FUZZ ?= 10e6
SEED ?= 0
fuzz:
	RHEA_FUZZ=$(FUZZ) RHEA_FUZZ_SEED=$(SEED) $(GO) test -count 1 -v -timeout 12h -run TestEnginesAgree ./internal/accel/tcg

STORM ?= 30m
storm:
	RHEA_STORM=$(STORM) $(GO) test -count 1 -v -timeout 12h -run TestStorm ./internal/app/system

sysroots:
	@$(GO) run ./tools/sysroot

runtimes:
	@$(GO) run ./tools/sysroot -runtimes
	RHEA_RUNTIMES=1 $(GO) test -count 1 -v -timeout 3h -run 'TestRuntimes|TestGoStandard' ./internal/app/user

deps:
	@PACKAGES="$(PACKAGES)" INSTALLER="$(INSTALLER)" sh tools/deps.sh -optional

clean:
	rm -f rhea rhea-user
