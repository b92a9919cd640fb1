  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64)
    (block  ;; label = @1
      (block  ;; label = @2
        (if  ;; label = @3
          (i32.lt_s
            (local.get 1)
            (i32.const 3))
          (then
            (local.set 4
              (i64.const 0))
            (br 2 (;@1;))))
        (local.set 2
          (i64.const 0))
        (local.set 3
          (i64.add
            (local.tee 3
              (i64.const 73728))
            (i64.const 52)))
        (local.set 1
          (i32.sub
            (local.get 1)
            (i32.const 3)))
        (loop  ;; label = @3
          (if  ;; label = @4
            (i32.lt_s
              (local.get 1)
              (i32.const 12))
            (then
              (local.set 4
                (i64.const 1572864))
              (br 2 (;@2;))))
          (local.set 2
            (i64.add
              (local.get 2)
              (local.get 3)))
          (if  ;; label = @4
            (i64.ne
              (local.tee 3
                (i64.add
                  (local.get 3)
                  (i64.const -1)))
              (i64.const 0))
            (then
              (local.set 2
                (i64.add
                  (local.get 2)
                  (local.get 3)))
              (if  ;; label = @5
                (i64.ne
                  (local.tee 3
                    (i64.add
                      (local.get 3)
                      (i64.const -1)))
                  (i64.const 0))
                (then
                  (local.set 2
                    (i64.add
                      (local.get 2)
                      (local.get 3)))
                  (if  ;; label = @6
                    (i64.ne
                      (local.tee 3
                        (i64.add
                          (local.get 3)
                          (i64.const -1)))
                      (i64.const 0))
                    (then
                      (local.set 2
                        (i64.add
                          (local.get 2)
                          (local.get 3)))
                      (if  ;; label = @7
                        (i64.ne
                          (local.tee 3
                            (i64.add
                              (local.get 3)
                              (i64.const -1)))
                          (i64.const 0))
                        (then
                          (local.set 1
                            (i32.sub
                              (local.get 1)
                              (i32.const 12)))
                          (br 4 (;@3;))))
                      (i64.store offset=4176
                        (i32.const 0)
                        (local.get 2))
                      (i64.store offset=4184
                        (i32.const 0)
                        (local.get 3))
                      (i64.store offset=4864
                        (i32.const 0)
                        (i64.add
                          (local.get 0)
                          (i64.const 24)))
                      (i32.store offset=4912
                        (i32.const 0)
                        (i32.sub
                          (local.get 1)
                          (i32.const 12)))
                      (return
                        (i32.const 0))))
                  (i64.store offset=4176
                    (i32.const 0)
                    (local.get 2))
                  (i64.store offset=4184
                    (i32.const 0)
                    (local.get 3))
                  (i64.store offset=4864
                    (i32.const 0)
                    (i64.add
                      (local.get 0)
                      (i64.const 24)))
                  (i32.store offset=4912
                    (i32.const 0)
                    (i32.sub
                      (local.get 1)
                      (i32.const 9)))
                  (return
                    (i32.const 0))))
              (i64.store offset=4176
                (i32.const 0)
                (local.get 2))
              (i64.store offset=4184
                (i32.const 0)
                (local.get 3))
              (i64.store offset=4864
                (i32.const 0)
                (i64.add
                  (local.get 0)
                  (i64.const 24)))
              (i32.store offset=4912
                (i32.const 0)
                (i32.sub
                  (local.get 1)
                  (i32.const 6)))
              (return
                (i32.const 0))))
          (i64.store offset=4176
            (i32.const 0)
            (local.get 2))
          (i64.store offset=4184
            (i32.const 0)
            (local.get 3))
          (i64.store offset=4864
            (i32.const 0)
            (i64.add
              (local.get 0)
              (i64.const 24)))
          (i32.store offset=4912
            (i32.const 0)
            (i32.sub
              (local.get 1)
              (i32.const 3)))
          (return
            (i32.const 0)))
        (unreachable))
      (i64.store offset=4176
        (i32.const 0)
        (local.get 2))
      (i64.store offset=4184
        (i32.const 0)
        (local.get 3)))
    (i64.store offset=4864
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 4)
          (i64.const 17))))
    (i32.store offset=4912
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 4))
          (i32.const 65535))))
    (return
      (i32.const 1)))
