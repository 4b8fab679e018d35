package x86

// sse3Map is SSE3 but for MONITOR and MWAIT, and SSSE3 (SDM vol. 2; see
// table.go for the notation).
const sse3Map = `
F3 0F 12 : MOVSLDUP Vps,Wps ; sse3
F2 0F 12 : MOVDDUP Vpd,Wsd ; sse3
F3 0F 16 : MOVSHDUP Vps,Wps ; sse3
66 0F 7C : HADDPD Vpd,Wpd ; sse3
F2 0F 7C : HADDPS Vps,Wps ; sse3
66 0F 7D : HSUBPD Vpd,Wpd ; sse3
F2 0F 7D : HSUBPS Vps,Wps ; sse3
66 0F D0 : ADDSUBPD Vpd,Wpd ; sse3
F2 0F D0 : ADDSUBPS Vps,Wps ; sse3
F2 0F F0 : LDDQU Vdq,Mdq ; sse3
DB /1 m : FISTTP Md ; sse3
DD /1 m : FISTTP Mq ; sse3
DF /1 m : FISTTP Mw ; sse3
np 0F 38 00 : PSHUFB Pq,Qq ; ssse3
66 0F 38 00 : PSHUFB Vdq,Wdq ; ssse3
np 0F 38 01 : PHADDW Pq,Qq ; ssse3
66 0F 38 01 : PHADDW Vdq,Wdq ; ssse3
np 0F 38 02 : PHADDD Pq,Qq ; ssse3
66 0F 38 02 : PHADDD Vdq,Wdq ; ssse3
np 0F 38 03 : PHADDSW Pq,Qq ; ssse3
66 0F 38 03 : PHADDSW Vdq,Wdq ; ssse3
np 0F 38 04 : PMADDUBSW Pq,Qq ; ssse3
66 0F 38 04 : PMADDUBSW Vdq,Wdq ; ssse3
np 0F 38 05 : PHSUBW Pq,Qq ; ssse3
66 0F 38 05 : PHSUBW Vdq,Wdq ; ssse3
np 0F 38 06 : PHSUBD Pq,Qq ; ssse3
66 0F 38 06 : PHSUBD Vdq,Wdq ; ssse3
np 0F 38 07 : PHSUBSW Pq,Qq ; ssse3
66 0F 38 07 : PHSUBSW Vdq,Wdq ; ssse3
np 0F 38 08 : PSIGNB Pq,Qq ; ssse3
66 0F 38 08 : PSIGNB Vdq,Wdq ; ssse3
np 0F 38 09 : PSIGNW Pq,Qq ; ssse3
66 0F 38 09 : PSIGNW Vdq,Wdq ; ssse3
np 0F 38 0A : PSIGND Pq,Qq ; ssse3
66 0F 38 0A : PSIGND Vdq,Wdq ; ssse3
np 0F 38 0B : PMULHRSW Pq,Qq ; ssse3
66 0F 38 0B : PMULHRSW Vdq,Wdq ; ssse3
np 0F 38 1C : PABSB Pq,Qq ; ssse3
66 0F 38 1C : PABSB Vdq,Wdq ; ssse3
np 0F 38 1D : PABSW Pq,Qq ; ssse3
66 0F 38 1D : PABSW Vdq,Wdq ; ssse3
np 0F 38 1E : PABSD Pq,Qq ; ssse3
66 0F 38 1E : PABSD Vdq,Wdq ; ssse3
np 0F 3A 0F : PALIGNR Pq,Qq,Ib ; ssse3
66 0F 3A 0F : PALIGNR Vdq,Wdq,Ib ; ssse3
`

// sse4Map is SSE4.1, SSE4.2, AES and PCLMULQDQ.
const sse4Map = `
66 0F 38 10 : PBLENDVB Vdq,Wdq ; sse4.1
66 0F 38 14 : BLENDVPS Vps,Wps ; sse4.1
66 0F 38 15 : BLENDVPD Vpd,Wpd ; sse4.1
66 0F 38 17 : PTEST Vdq,Wdq ; sse4.1
66 0F 38 20 : PMOVSXBW Vdq,Wq ; sse4.1
66 0F 38 21 : PMOVSXBD Vdq,Wd ; sse4.1
66 0F 38 22 : PMOVSXBQ Vdq,Ww ; sse4.1
66 0F 38 23 : PMOVSXWD Vdq,Wq ; sse4.1
66 0F 38 24 : PMOVSXWQ Vdq,Wd ; sse4.1
66 0F 38 25 : PMOVSXDQ Vdq,Wq ; sse4.1
66 0F 38 30 : PMOVZXBW Vdq,Wq ; sse4.1
66 0F 38 31 : PMOVZXBD Vdq,Wd ; sse4.1
66 0F 38 32 : PMOVZXBQ Vdq,Ww ; sse4.1
66 0F 38 33 : PMOVZXWD Vdq,Wq ; sse4.1
66 0F 38 34 : PMOVZXWQ Vdq,Wd ; sse4.1
66 0F 38 35 : PMOVZXDQ Vdq,Wq ; sse4.1
66 0F 38 28 : PMULDQ Vdq,Wdq ; sse4.1
66 0F 38 29 : PCMPEQQ Vdq,Wdq ; sse4.1
66 0F 38 2A : MOVNTDQA Vdq,Mdq ; sse4.1
66 0F 38 2B : PACKUSDW Vdq,Wdq ; sse4.1
66 0F 38 37 : PCMPGTQ Vdq,Wdq ; sse4.2
66 0F 38 38 : PMINSB Vdq,Wdq ; sse4.1
66 0F 38 39 : PMINSD Vdq,Wdq ; sse4.1
66 0F 38 3A : PMINUW Vdq,Wdq ; sse4.1
66 0F 38 3B : PMINUD Vdq,Wdq ; sse4.1
66 0F 38 3C : PMAXSB Vdq,Wdq ; sse4.1
66 0F 38 3D : PMAXSD Vdq,Wdq ; sse4.1
66 0F 38 3E : PMAXUW Vdq,Wdq ; sse4.1
66 0F 38 3F : PMAXUD Vdq,Wdq ; sse4.1
66 0F 38 40 : PMULLD Vdq,Wdq ; sse4.1
66 0F 38 41 : PHMINPOSUW Vdq,Wdq ; sse4.1
66 0F 38 DB : AESIMC Vdq,Wdq ; aes
66 0F 38 DC : AESENC Vdq,Wdq ; aes
66 0F 38 DD : AESENCLAST Vdq,Wdq ; aes
66 0F 38 DE : AESDEC Vdq,Wdq ; aes
66 0F 38 DF : AESDECLAST Vdq,Wdq ; aes
66 0F 3A 08 : ROUNDPS Vps,Wps,Ib ; sse4.1
66 0F 3A 09 : ROUNDPD Vpd,Wpd,Ib ; sse4.1
66 0F 3A 0A : ROUNDSS Vss,Wss,Ib ; sse4.1
66 0F 3A 0B : ROUNDSD Vsd,Wsd,Ib ; sse4.1
66 0F 3A 0C : BLENDPS Vps,Wps,Ib ; sse4.1
66 0F 3A 0D : BLENDPD Vpd,Wpd,Ib ; sse4.1
66 0F 3A 0E : PBLENDW Vdq,Wdq,Ib ; sse4.1
66 0F 3A 14 : PEXTRB Eb,Vdq,Ib ; sse4.1
66 0F 3A 15 : PEXTRW Ew,Vdq,Ib ; sse4.1
66 0F 3A 16 : PEXTRD Ey,Vdq,Ib ; sse4.1
66 0F 3A 17 : EXTRACTPS Ed,Vps,Ib ; sse4.1
66 0F 3A 20 : PINSRB Vdq,Eb,Ib ; sse4.1
66 0F 3A 21 : INSERTPS Vps,Wss,Ib ; sse4.1
66 0F 3A 22 : PINSRD Vdq,Ey,Ib ; sse4.1
66 0F 3A 40 : DPPS Vps,Wps,Ib ; sse4.1
66 0F 3A 41 : DPPD Vpd,Wpd,Ib ; sse4.1
66 0F 3A 42 : MPSADBW Vdq,Wdq,Ib ; sse4.1
66 0F 3A 44 : PCLMULQDQ Vdq,Wdq,Ib ; pclmulqdq
66 0F 3A 60 : PCMPESTRM Vdq,Wdq,Ib ; sse4.2
66 0F 3A 61 : PCMPESTRI Vdq,Wdq,Ib ; sse4.2
66 0F 3A 62 : PCMPISTRM Vdq,Wdq,Ib ; sse4.2
66 0F 3A 63 : PCMPISTRI Vdq,Wdq,Ib ; sse4.2
66 0F 3A DF : AESKEYGENASSIST Vdq,Wdq,Ib ; aes
`
