  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i64 i64 i32 i32)
    (block  ;; label = @1
      (if  ;; label = @2
        (i32.ne
          (i32.load offset=5316
            (i32.const 0))
          (i32.const 1))
        (then
          (local.set 9
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 4
        (i64.load offset=4096
          (i32.const 0)))
      (local.set 5
        (i64.load offset=4104
          (i32.const 0)))
      (local.set 7
        (i64.load offset=4136
          (i32.const 0)))
      (local.set 8
        (i64.load offset=4336
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 5))
        (then
          (local.set 9
            (i64.const 0))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.or
              (i64.and
                (local.tee 12
                  (i64.add
                    (local.tee 11
                      (local.tee 10
                        (local.get 4)))
                    (i64.load offset=55936
                      (i32.and
                        (i32.shr_u
                          (i32.wrap_i64
                            (local.get 11))
                          (i32.const 9))
                        (i32.const 16376)))))
                (i64.const -4194297))
              (i64.and
                (i64.xor
                  (local.get 12)
                  (i64.add
                    (local.get 12)
                    (i64.const 8)))
                (i64.const 4096)))))
        (then
          (local.set 9
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 14
        (i64.load
          (local.tee 13
            (i32.wrap_i64
              (local.get 12)))))
      (local.set 15
        (i64.load offset=8
          (local.get 13)))
      (local.set 2
        (local.get 14))
      (i64.store offset=4112
        (i32.const 0)
        (local.get 2))
      (local.set 3
        (local.get 15))
      (i64.store offset=4120
        (i32.const 0)
        (local.get 3))
      (local.set 4
        (i64.add
          (local.get 10)
          (i64.const 16)))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 4))
      (local.set 14
        (local.tee 15
          (i64.add
            (local.get 5)
            (i64.const -16))))
      (local.set 12
        (local.get 2))
      (local.set 11
        (local.get 3))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.or
              (i64.and
                (local.tee 10
                  (i64.add
                    (local.get 14)
                    (i64.load offset=121472
                      (i32.and
                        (i32.shr_u
                          (i32.wrap_i64
                            (local.get 14))
                          (i32.const 9))
                        (i32.const 16376)))))
                (i64.const -4194297))
              (i64.and
                (i64.xor
                  (local.get 10)
                  (i64.add
                    (local.get 10)
                    (i64.const 8)))
                (i64.const 4096)))))
        (then
          (local.set 9
            (i64.const 589825))
          (br 1 (;@1;))))
      (i64.store
        (local.tee 13
          (i32.wrap_i64
            (local.get 10)))
        (local.get 12))
      (i64.store offset=8
        (local.get 13)
        (local.get 11))
      (local.set 5
        (local.get 15))
      (i64.store offset=4104
        (i32.const 0)
        (local.get 5))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.and
              (local.tee 12
                (i64.add
                  (local.tee 10
                    (i64.add
                      (local.get 4)
                      (i64.and
                        (local.get 7)
                        (i64.const 4294967295))))
                  (i64.load offset=55936
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 10))
                        (i32.const 9))
                      (i32.const 16376)))))
              (i64.const -4194304))))
        (then
          (local.set 9
            (i64.const 1114114))
          (br 1 (;@1;))))
      (local.set 6
        (local.tee 11
          (i64.load8_u
            (i32.wrap_i64
              (local.get 12)))))
      (i64.store offset=4128
        (i32.const 0)
        (local.get 6))
      (local.set 12
        (local.get 5))
      (local.set 11
        (local.get 6))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.and
              (local.tee 10
                (i64.add
                  (local.get 12)
                  (i64.load offset=121472
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 12))
                        (i32.const 9))
                      (i32.const 16376)))))
              (i64.const -4194301))))
        (then
          (local.set 9
            (i64.const 1638403))
          (br 1 (;@1;))))
      (i64.store32
        (i32.wrap_i64
          (local.get 10))
        (local.get 11))
      (if  ;; label = @2
        (i64.ne
          (local.tee 12
            (i64.shr_s
              (i64.shl
                (local.tee 11
                  (local.tee 10
                    (local.get 8)))
                (i64.const 8))
              (i64.const 8)))
          (local.get 11))
        (then
          (local.set 11
            (select
              (local.get 12)
              (local.get 11)
              (i32.and
                (i32.shr_u
                  (i32.load offset=5224
                    (i32.const 0))
                  (i32.wrap_i64
                    (i64.and
                      (i64.shr_u
                        (local.get 11)
                        (i64.const 55))
                      (i64.const 1))))
                (i32.const 1))))))
      (local.set 15
        (local.tee 14
          (local.get 11)))
      (block  ;; label = @2
      )
      (if  ;; label = @2
        (i64.eq
          (i64.load offset=1885760
            (local.tee 13
              (i32.and
                (i32.shl
                  (i32.wrap_i64
                    (local.tee 14
                      (local.get 15)))
                  (i32.const 2))
                (i32.const 65520))))
          (i64.xor
            (local.get 14)
            (i64.load32_u offset=6696
              (i32.const 0))))
        (then
          (return_call_indirect (type 0)
            (local.get 14)
            (i32.sub
              (local.get 1)
              (i32.const 5))
            (i32.load offset=1885768
              (local.get 13)))))
      (i64.store offset=5120
        (i32.const 0)
        (local.get 14))
      (i32.store offset=5168
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 5)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 9))
        (i32.const 65536))
      (then
        (local.set 17
          (i32.sub
            (i32.load offset=700612
              (local.tee 16
                (i32.mul
                  (local.tee 13
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=700612
          (local.get 16)
          (local.get 17))
        (if  ;; label = @2
          (i32.le_s
            (local.get 17)
            (i32.const 0))
          (then
            (i32.store offset=6776
              (i32.const 0)
              (local.get 13))))))
    (i64.store offset=5120
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 9)
          (i64.const 17))))
    (i32.store offset=5168
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 9))
          (i32.const 65535))))
    (return
      (i32.const 1)))
