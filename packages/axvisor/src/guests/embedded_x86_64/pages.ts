/** The page allocator of the embedded kernel for PCs: 4 KiB pages from the end of the kernel upwards, freed ones in a list. Only the first CPU uses it. */

export const text: string = String.raw`
        # Everything from the end of the kernel to the end of its range of memory, but for the initrd.
pages_init:
        lea     rax, [rip + kernel_end + PAGE_SIZE - 1]
        and     rax, -PAGE_SIZE
        mov     [rip + page_next], rax
        mov     rcx, [rip + page_limit]
        mov     rdx, 0x100000000        # what is mapped
        cmp     rcx, rdx
        cmova   rcx, rdx
        and     rcx, -PAGE_SIZE
        mov     [rip + page_limit], rcx
        mov     rdx, rcx
        sub     rdx, rax
        shr     rdx, 12
        mov     [rip + page_free_count], rdx
        mov     rsi, [rip + initrd_start]
        mov     rdi, [rip + initrd_end]
        cmp     rsi, rdi
        je      .Lno_reserve
        and     rsi, -PAGE_SIZE
        add     rdi, PAGE_SIZE - 1
        and     rdi, -PAGE_SIZE
        # What lies between next and limit is not free.
        cmp     rsi, rax
        cmovb   rsi, rax
        cmp     rdi, rcx
        cmova   rdi, rcx
        sub     rdi, rsi
        jbe     .Lno_reserve
        shr     rdi, 12
        sub     [rip + page_free_count], rdi
.Lno_reserve:
        ret

        # Returns a page, or 0.
page_alloc:
        mov     rax, [rip + page_list]
        test    rax, rax
        jz      .Lfresh
        mov     rcx, [rax]              # a free page begins with the address of the next
        mov     [rip + page_list], rcx
        jmp     .Lallocated
.Lfresh:
        mov     rax, [rip + page_next]
        cmp     rax, [rip + page_limit]
        jae     .Lnone
        lea     rcx, [rax + PAGE_SIZE]
        mov     [rip + page_next], rcx
        cmp     rcx, [rip + initrd_start]
        jbe     .Lallocated
        cmp     rax, [rip + initrd_end]
        jb      .Lfresh
.Lallocated:
        dec     qword ptr [rip + page_free_count]
        ret
.Lnone: xor     eax, eax
        ret

        # rdi: page
page_free:
        mov     rax, [rip + page_list]
        mov     [rdi], rax
        mov     [rip + page_list], rdi
        inc     qword ptr [rip + page_free_count]
        ret

        # Takes 64 pages, fills each with its own pattern, looks whether all patterns are still there, both at the identity mapping and in
        # the upper half, gives the pages back and compares the number of free ones. Returns 0 if all is well.
        .equ    TEST_PAGES, 64
page_self_test:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        mov     r12, [rip + page_free_count]
        xor     ebx, ebx                # pages taken, chained through their second quadword
        mov     ebp, TEST_PAGES
.Lfill: call    page_alloc
        test    rax, rax
        jz      .Lverify
        xor     ecx, ecx
.Lpattern:
        lea     rdx, [rax + rcx]
        xor     rdx, r12
        mov     [rax + rcx], rdx
        add     ecx, 8
        cmp     ecx, PAGE_SIZE
        jb      .Lpattern
        mov     [rax + 8], rbx
        mov     rbx, rax
        dec     ebp
        jnz     .Lfill
.Lverify:
        mov     r13d, ebp               # errors: fewer pages than asked for
        mov     r14, UPPER_HALF
.Lcheck:
        test    rbx, rbx
        jz      .Lchecked
        mov     rbp, [rbx + 8]
        mov     qword ptr [rbx + 8], 0  # seen through the other mapping
        lea     rax, [rbx + r14]
        or      r13, [rax + 8]
        mov     ecx, 16
.Lsame: lea     rdx, [rbx + rcx]
        xor     rdx, r12
        xor     rdx, [rax + rcx]
        or      r13, rdx
        add     ecx, 8
        cmp     ecx, PAGE_SIZE
        jb      .Lsame
        mov     rdi, rbx
        call    page_free
        mov     rbx, rbp
        jmp     .Lcheck
.Lchecked:
        mov     rax, [rip + page_free_count]
        xor     rax, r12
        or      rax, r13
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret
`;
