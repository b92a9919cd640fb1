  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i32)
    (block  ;; label = @1
      (local.set 3
        (i64.load offset=4176
          (i32.const 0)))
      (local.set 5
        (i64.load offset=4184
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 6))
        (then
          (local.set 7
            (i64.const 0))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.and
              (local.tee 10
                (i64.add
                  (local.tee 8
                    (local.get 3))
                  (i64.load offset=111872
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 8))
                        (i32.const 9))
                      (i32.const 32760)))))
              (i64.const -8388605))))
        (then
          (if  ;; label = @3
            (i32.eqz
              (local.tee 11
                (call 2
                  (local.get 8)
                  (i64.const 0)
                  (i32.const 4))))
            (then
              (local.set 7
                (i64.const 0))
              (br 2 (;@1;))))
          (local.set 9
            (i64.load32_s
              (local.get 11))))
        (else
          (local.set 9
            (i64.load32_s
              (i32.wrap_i64
                (local.get 10))))))
      (local.set 2
        (local.get 9))
      (i64.store offset=4216
        (i32.const 0)
        (local.get 2))
      (local.set 4
        (i64.extend_i32_s
          (i32.shr_u
            (i32.wrap_i64
              (local.get 5))
            (i32.const 8))))
      (i64.store offset=4200
        (i32.const 0)
        (local.get 4))
      (local.set 2
        (i64.xor
          (local.get 2)
          (local.get 4)))
      (i64.store offset=4216
        (i32.const 0)
        (local.get 2))
      (local.set 2
        (local.get 2))
      (i64.store offset=4216
        (i32.const 0)
        (local.get 2))
      (local.set 6
        (i64.add
          (local.get 2)
          (local.get 5)))
      (i64.store offset=4192
        (i32.const 0)
        (local.get 6))
      (local.set 6
        (i64.extend_i32_s
          (i32.wrap_i64
            (local.get 6))))
      (i64.store offset=4192
        (i32.const 0)
        (local.get 6))
      (local.set 1
        (i32.sub
          (local.get 1)
          (i32.const 6)))
      (loop  ;; label = @2
        (if  ;; label = @3
          (i32.lt_s
            (local.get 1)
            (i32.const 4))
          (then
            (local.set 7
              (i64.const 1572864))
            (br 2 (;@1;))))
        (local.set 1
          (i32.sub
            (local.get 1)
            (i32.const 4)))
        (br 0 (;@2;)))
      (unreachable))
    (i64.store offset=4864
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 7)
          (i64.const 16))))
    (i32.store offset=4912
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 7))
          (i32.const 65535))))
    (return
      (i32.const 1)))
