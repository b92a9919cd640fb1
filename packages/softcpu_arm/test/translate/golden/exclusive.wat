  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i32 i32 i32 i64 i64 i64)
    (block  ;; label = @1
      (if  ;; label = @2
        (i32.ne
          (i32.load offset=5316
            (i32.const 0))
          (i32.const 1))
        (then
          (local.set 5
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 3
        (i64.load offset=4096
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 3))
        (then
          (local.set 5
            (i64.const 0))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.and
              (local.tee 7
                (i64.add
                  (local.tee 6
                    (local.get 3))
                  (i64.load offset=55936
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 6))
                        (i32.const 9))
                      (i32.const 16376)))))
              (i64.const -4194301))))
        (then
          (local.set 5
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 11
        (i64.extend_i32_u
          (local.tee 10
            (i32.load
              (local.tee 9
                (local.tee 8
                  (i32.wrap_i64
                    (local.get 7))))))))
      (i32.store offset=5228
        (i32.const 0)
        (i32.const 1))
      (i32.store offset=5256
        (i32.const 0)
        (i32.const 4))
      (i64.store offset=5232
        (i32.const 0)
        (i64.extend_i32_u
          (local.get 8)))
      (i64.store offset=5240
        (i32.const 0)
        (local.get 11))
      (local.set 2
        (local.get 11))
      (i64.store offset=4104
        (i32.const 0)
        (local.get 2))
      (local.set 2
        (i64.extend_i32_u
          (i32.add
            (i32.wrap_i64
              (local.get 2))
            (i32.const 1))))
      (i64.store offset=4104
        (i32.const 0)
        (local.get 2))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.and
              (local.tee 7
                (i64.add
                  (local.tee 11
                    (local.get 3))
                  (i64.load offset=121472
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 11))
                        (i32.const 9))
                      (i32.const 16376)))))
              (i64.const -4194301))))
        (then
          (local.set 5
            (i64.const 1114114))
          (br 1 (;@1;))))
      (local.set 10
        (i32.wrap_i64
          (local.get 7)))
      (local.set 6
        (i64.const 1))
      (if  ;; label = @2
        (i32.and
          (i32.ne
            (i32.load offset=5228
              (i32.const 0))
            (i32.const 0))
          (i32.and
            (i64.eq
              (i64.load offset=5232
                (i32.const 0))
              (i64.extend_i32_u
                (local.get 10)))
            (i32.eq
              (i32.load offset=5256
                (i32.const 0))
              (i32.const 4))))
        (then
          (local.set 12
            (i64.load offset=5240
              (i32.const 0)))
          (local.set 13
            (local.get 2))
          (if  ;; label = @3
            (i32.eq
              (local.tee 8
                (i32.load
                  (local.tee 9
                    (local.get 10))))
              (i32.wrap_i64
                (local.get 12)))
            (then
              (i32.store
                (local.get 9)
                (i32.wrap_i64
                  (local.get 13)))))
          (local.set 6
            (i64.extend_i32_u
              (i64.ne
                (i64.extend_i32_u
                  (local.get 8))
                (local.get 12))))))
      (i32.store offset=5228
        (i32.const 0)
        (i32.const 0))
      (local.set 4
        (local.get 6))
      (i64.store offset=4112
        (i32.const 0)
        (local.get 4))
      (i64.store offset=5120
        (i32.const 0)
        (i64.add
          (local.get 0)
          (i64.const 12)))
      (i32.store offset=5168
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 3)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 5))
        (i32.const 65536))
      (then
        (local.set 10
          (i32.sub
            (i32.load offset=700612
              (local.tee 9
                (i32.mul
                  (local.tee 8
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=700612
          (local.get 9)
          (local.get 10))
        (if  ;; label = @2
          (i32.le_s
            (local.get 10)
            (i32.const 0))
          (then
            (i32.store offset=6776
              (i32.const 0)
              (local.get 8))))))
    (i64.store offset=5120
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 5)
          (i64.const 17))))
    (i32.store offset=5168
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 5))
          (i32.const 65535))))
    (return
      (i32.const 1)))
