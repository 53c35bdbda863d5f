#include "textflag.h"

// func markBlocks(p *byte, blocks int, quotes, odd *uint64) (before uint64)
TEXT ·markBlocks(SB), NOSPLIT, $0-40
	MOVQ         p+0(FP), SI
	MOVQ         blocks+8(FP), CX
	MOVQ         quotes+16(FP), DI
	MOVQ         odd+24(FP), DX
	MOVL         $0x22, AX
	VMOVD        AX, X0
	VPBROADCASTB X0, Y0
	MOVL         $0x5c, AX
	VMOVD        AX, X1
	VPBROADCASTB X1, Y1
	XORL         R8, R8
	XORL         R10, R10

block:
	ORQ       R8, R10 // the odd ones of the block before
	VMOVDQU   (SI), Y2
	VMOVDQU   32(SI), Y3
	VPCMPEQB  Y2, Y0, Y4
	VPCMPEQB  Y3, Y0, Y5
	VPMOVMSKB Y4, R8
	VPMOVMSKB Y5, R9
	SHLQ      $32, R9
	ORQ       R9, R8
	MOVQ      R8, (DI)
	VPCMPEQB  Y2, Y1, Y4
	VPCMPEQB  Y3, Y1, Y5
	VPOR      Y2, Y4, Y4 // the top bit of each byte: a backslash, or no ASCII
	VPOR      Y3, Y5, Y5
	VPMOVMSKB Y4, R8
	VPMOVMSKB Y5, R9
	SHLQ      $32, R9
	ORQ       R9, R8
	MOVQ      R8, (DX)
	ADDQ      $64, SI
	ADDQ      $8, DI
	ADDQ      $8, DX
	DECQ      CX
	JNZ       block
	VZEROUPPER
	MOVQ R10, before+32(FP)
	RET
