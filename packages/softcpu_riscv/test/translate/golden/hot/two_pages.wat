  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i32)
    (block  ;; label = @1
      (block  ;; label = @2
        (local.set 2
          (i64.load offset=4176
            (i32.const 0)))
        (local.set 3
          (i64.load offset=4192
            (i32.const 0)))
        (local.set 4
          (i64.load offset=4208
            (i32.const 0)))
        (local.set 5
          (i64.load offset=4200
            (i32.const 0)))
        (local.set 6
          (i64.load offset=4184
            (i32.const 0)))
        (loop  ;; label = @3
          (if  ;; label = @4
            (i32.lt_s
              (local.get 1)
              (i32.const 20))
            (then
              (local.set 7
                (i64.const 535298048))
              (br 2 (;@2;))))
          (local.set 3
            (i64.xor
              (local.tee 2
                (i64.add
                  (local.get 2)
                  (i64.const 1)))
              (local.get 6)))
          (local.set 4
            (i64.add
              (local.get 4)
              (i64.const 3)))
          (if  ;; label = @4
            (i32.eqz
              (local.get 8))
            (then
              (if  ;; label = @5
                (i32.eqz
                  (local.tee 8
                    (call 0
                      (i64.add
                        (local.get 0)
                        (i64.const 12))
                      (i32.const 2831968)
                      (i32.const 3))))
                (then
                  (i64.store offset=4176
                    (i32.const 0)
                    (local.get 2))
                  (i64.store offset=4192
                    (i32.const 0)
                    (local.get 3))
                  (i64.store offset=4208
                    (i32.const 0)
                    (local.get 4))
                  (i64.store offset=4200
                    (i32.const 0)
                    (local.get 5))
                  (i64.store offset=4864
                    (i32.const 0)
                    (i64.add
                      (local.get 0)
                      (i64.const 10)))
                  (i32.store offset=4912
                    (i32.const 0)
                    (i32.sub
                      (local.get 1)
                      (i32.const 3)))
                  (return
                    (i32.const 0))))))
          (local.set 5
            (i64.add
              (local.get 5)
              (local.get 3)))
          (local.set 3
            (i64.xor
              (local.tee 2
                (i64.add
                  (local.get 2)
                  (i64.const 1)))
              (local.get 6)))
          (local.set 4
            (i64.add
              (local.get 4)
              (i64.const 3)))
          (local.set 5
            (i64.add
              (local.get 5)
              (local.get 3)))
          (local.set 3
            (i64.xor
              (local.tee 2
                (i64.add
                  (local.get 2)
                  (i64.const 1)))
              (local.get 6)))
          (local.set 4
            (i64.add
              (local.get 4)
              (i64.const 3)))
          (local.set 5
            (i64.add
              (local.get 5)
              (local.get 3)))
          (local.set 3
            (i64.xor
              (local.tee 2
                (i64.add
                  (local.get 2)
                  (i64.const 1)))
              (local.get 6)))
          (local.set 4
            (i64.add
              (local.get 4)
              (i64.const 3)))
          (local.set 5
            (i64.add
              (local.get 5)
              (local.get 3)))
          (local.set 1
            (i32.sub
              (local.get 1)
              (i32.const 20)))
          (br 0 (;@3;)))
        (unreachable))
      (i64.store offset=4176
        (i32.const 0)
        (local.get 2))
      (i64.store offset=4192
        (i32.const 0)
        (local.get 3))
      (i64.store offset=4208
        (i32.const 0)
        (local.get 4))
      (i64.store offset=4200
        (i32.const 0)
        (local.get 5)))
    (i64.store offset=4864
      (i32.const 0)
      (i64.add
        (i64.sub
          (local.get 0)
          (i64.const 4084))
        (i64.shr_s
          (local.get 7)
          (i64.const 17))))
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
