  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i64 i64 i64 i64 i32 i32 i32)
    (block  ;; label = @1
      (block  ;; label = @2
        (local.set 2
          (i64.load offset=4096
            (i32.const 0)))
        (local.set 3
          (i64.load offset=4120
            (i32.const 0)))
        (local.set 4
          (i64.load offset=4288
            (i32.const 0)))
        (local.set 5
          (i64.load offset=4296
            (i32.const 0)))
        (local.set 6
          (i64.load offset=4592
            (i32.const 0)))
        (local.set 7
          (i64.load offset=4144
            (i32.const 0)))
        (local.set 8
          (i64.load offset=4304
            (i32.const 0)))
        (loop  ;; label = @3
          (if  ;; label = @4
            (i32.lt_s
              (local.get 1)
              (i32.const 20))
            (then
              (local.set 9
                (i64.const 0))
              (br 2 (;@2;))))
          (if  ;; label = @4
            (i32.eqz
              (i64.eqz
                (i64.and
                  (local.tee 14
                    (i64.add
                      (local.tee 11
                        (local.tee 10
                          (local.get 7)))
                      (i64.load offset=145344
                        (i32.and
                          (i32.shr_u
                            (i32.wrap_i64
                              (local.get 11))
                            (i32.const 9))
                          (i32.const 131064)))))
                  (i64.const -33554432))))
            (then
              (local.set 9
                (i64.const 65536))
              (br 2 (;@2;))))
          (local.set 12
            (i64.load8_u
              (i32.wrap_i64
                (local.get 14))))
          (if  ;; label = @4
            (i32.le_u
              (i32.sub
                (i32.and
                  (i32.wrap_i64
                    (local.get 11))
                  (i32.const 4095))
                (i32.const 128))
              (i32.const 3840))
            (then
              (local.set 13
                (i32.sub
                  (i32.wrap_i64
                    (local.get 14))
                  (i32.const 128))))
            (else
              (local.set 13
                (i32.const 0))))
          (if  ;; label = @4
            (i64.gt_u
              (i64.and
                (local.tee 10
                  (i64.add
                    (local.tee 12
                      (local.tee 14
                        (i64.add
                          (i64.shl
                            (local.tee 2
                              (local.get 12))
                            (i64.const 2))
                          (i64.const 1051648))))
                    (i64.load offset=145344
                      (i32.const 2048))))
                (i64.const -33550337))
              (i64.const 4092))
            (then
              (local.set 9
                (i64.const 458753))
              (br 2 (;@2;))))
          (local.set 3
            (local.tee 11
              (i64.load32_u
                (i32.wrap_i64
                  (local.get 10)))))
          (if  ;; label = @4
            (i64.gt_u
              (i64.and
                (local.tee 14
                  (i64.add
                    (local.tee 11
                      (local.tee 10
                        (i64.add
                          (i64.shl
                            (local.get 2)
                            (i64.const 2))
                          (i64.const 1051652))))
                    (i64.load offset=145344
                      (i32.and
                        (i32.shr_u
                          (i32.wrap_i64
                            (local.get 11))
                          (i32.const 9))
                        (i32.const 131064)))))
                (i64.const -33550337))
              (i64.const 4092))
            (then
              (local.set 9
                (i64.const 1376258))
              (br 2 (;@2;))))
          (local.set 15
            (local.tee 12
              (i64.load32_u
                (i32.wrap_i64
                  (local.get 14)))))
          (local.set 17
            (i64.and
              (local.tee 3
                (local.tee 17
                  (i64.extend_i32_u
                    (i32.add
                      (i32.wrap_i64
                        (local.tee 16
                          (local.get 3)))
                      (i32.wrap_i64
                        (local.get 15))))))
              (i64.const 255)))
          (local.set 16
            (local.get 2))
          (local.set 15
            (i64.sub
              (local.get 17)
              (local.get 16)))
          (local.set 4
            (local.get 17))
          (local.set 5
            (local.get 16))
          (local.set 6
            (i64.const 14337))
          (if  ;; label = @4
            (local.tee 18
              (i64.lt_u
                (local.get 4)
                (local.get 5)))
            (then
              (local.set 16
                (local.tee 15
                  (local.get 7)))
              (if  ;; label = @5
                (local.get 13)
                (then
                  (local.set 17
                    (i64.load8_u offset=128
                      (local.get 13))))
                (else
                  (if  ;; label = @6
                    (i32.eqz
                      (i64.eqz
                        (i64.and
                          (local.tee 14
                            (i64.add
                              (local.get 16)
                              (i64.load offset=145344
                                (i32.and
                                  (i32.shr_u
                                    (i32.wrap_i64
                                      (local.get 16))
                                    (i32.const 9))
                                  (i32.const 131064)))))
                          (i64.const -33554432))))
                    (then
                      (local.set 9
                        (i64.const 65541))
                      (br 4 (;@2;))))
                  (local.set 17
                    (i64.load8_u
                      (i32.wrap_i64
                        (local.get 14))))))
              (if  ;; label = @5
                (i64.gt_u
                  (i64.and
                    (local.tee 15
                      (i64.add
                        (local.tee 17
                          (local.tee 14
                            (i64.add
                              (i64.shl
                                (local.tee 2
                                  (local.get 17))
                                (i64.const 2))
                              (i64.const 1051648))))
                        (i64.load offset=145344
                          (i32.const 2048))))
                    (i64.const -33550337))
                  (i64.const 4092))
                (then
                  (local.set 9
                    (i64.const 458758))
                  (br 3 (;@2;))))
              (local.set 3
                (local.tee 16
                  (i64.load32_u
                    (i32.wrap_i64
                      (local.get 15)))))
              (if  ;; label = @5
                (i64.gt_u
                  (i64.and
                    (local.tee 14
                      (i64.add
                        (local.tee 16
                          (local.tee 15
                            (i64.add
                              (i64.shl
                                (local.get 2)
                                (i64.const 2))
                              (i64.const 1051652))))
                        (i64.load offset=145344
                          (i32.and
                            (i32.shr_u
                              (i32.wrap_i64
                                (local.get 16))
                              (i32.const 9))
                            (i32.const 131064)))))
                    (i64.const -33550337))
                  (i64.const 4092))
                (then
                  (local.set 9
                    (i64.const 1376263))
                  (br 3 (;@2;))))
              (local.set 12
                (local.tee 17
                  (i64.load32_u
                    (i32.wrap_i64
                      (local.get 14)))))
              (local.set 10
                (i64.and
                  (local.tee 3
                    (local.tee 10
                      (i64.extend_i32_u
                        (i32.add
                          (i32.wrap_i64
                            (local.tee 11
                              (local.get 3)))
                          (i32.wrap_i64
                            (local.get 12))))))
                  (i64.const 255)))
              (local.set 11
                (local.get 2))
              (local.set 12
                (i64.sub
                  (local.get 10)
                  (local.get 11)))
              (local.set 4
                (local.get 10))
              (local.set 5
                (local.get 11))
              (local.set 6
                (i64.const 14337))
              (if  ;; label = @5
                (local.tee 18
                  (i64.lt_u
                    (local.get 4)
                    (local.get 5)))
                (then
                  (local.set 11
                    (local.tee 12
                      (local.get 7)))
                  (if  ;; label = @6
                    (local.get 13)
                    (then
                      (local.set 10
                        (i64.load8_u offset=128
                          (local.get 13))))
                    (else
                      (if  ;; label = @7
                        (i32.eqz
                          (i64.eqz
                            (i64.and
                              (local.tee 14
                                (i64.add
                                  (local.get 11)
                                  (i64.load offset=145344
                                    (i32.and
                                      (i32.shr_u
                                        (i32.wrap_i64
                                          (local.get 11))
                                        (i32.const 9))
                                      (i32.const 131064)))))
                              (i64.const -33554432))))
                        (then
                          (local.set 9
                            (i64.const 65546))
                          (br 5 (;@2;))))
                      (local.set 10
                        (i64.load8_u
                          (i32.wrap_i64
                            (local.get 14))))))
                  (if  ;; label = @6
                    (i64.gt_u
                      (i64.and
                        (local.tee 12
                          (i64.add
                            (local.tee 10
                              (local.tee 14
                                (i64.add
                                  (i64.shl
                                    (local.tee 2
                                      (local.get 10))
                                    (i64.const 2))
                                  (i64.const 1051648))))
                            (i64.load offset=145344
                              (i32.const 2048))))
                        (i64.const -33550337))
                      (i64.const 4092))
                    (then
                      (local.set 9
                        (i64.const 458763))
                      (br 4 (;@2;))))
                  (local.set 3
                    (local.tee 11
                      (i64.load32_u
                        (i32.wrap_i64
                          (local.get 12)))))
                  (if  ;; label = @6
                    (i64.gt_u
                      (i64.and
                        (local.tee 14
                          (i64.add
                            (local.tee 11
                              (local.tee 12
                                (i64.add
                                  (i64.shl
                                    (local.get 2)
                                    (i64.const 2))
                                  (i64.const 1051652))))
                            (i64.load offset=145344
                              (i32.and
                                (i32.shr_u
                                  (i32.wrap_i64
                                    (local.get 11))
                                  (i32.const 9))
                                (i32.const 131064)))))
                        (i64.const -33550337))
                      (i64.const 4092))
                    (then
                      (local.set 9
                        (i64.const 1376268))
                      (br 4 (;@2;))))
                  (local.set 17
                    (local.tee 10
                      (i64.load32_u
                        (i32.wrap_i64
                          (local.get 14)))))
                  (local.set 15
                    (i64.and
                      (local.tee 3
                        (local.tee 15
                          (i64.extend_i32_u
                            (i32.add
                              (i32.wrap_i64
                                (local.tee 16
                                  (local.get 3)))
                              (i32.wrap_i64
                                (local.get 17))))))
                      (i64.const 255)))
                  (local.set 16
                    (local.get 2))
                  (local.set 17
                    (i64.sub
                      (local.get 15)
                      (local.get 16)))
                  (local.set 4
                    (local.get 15))
                  (local.set 5
                    (local.get 16))
                  (local.set 6
                    (i64.const 14337))
                  (if  ;; label = @6
                    (local.tee 18
                      (i64.lt_u
                        (local.get 4)
                        (local.get 5)))
                    (then
                      (local.set 16
                        (local.tee 17
                          (local.get 7)))
                      (if  ;; label = @7
                        (local.get 13)
                        (then
                          (local.set 15
                            (i64.load8_u offset=128
                              (local.get 13))))
                        (else
                          (if  ;; label = @8
                            (i32.eqz
                              (i64.eqz
                                (i64.and
                                  (local.tee 14
                                    (i64.add
                                      (local.get 16)
                                      (i64.load offset=145344
                                        (i32.and
                                          (i32.shr_u
                                            (i32.wrap_i64
                                              (local.get 16))
                                            (i32.const 9))
                                          (i32.const 131064)))))
                                  (i64.const -33554432))))
                            (then
                              (local.set 9
                                (i64.const 65551))
                              (br 6 (;@2;))))
                          (local.set 15
                            (i64.load8_u
                              (i32.wrap_i64
                                (local.get 14))))))
                      (if  ;; label = @7
                        (i64.gt_u
                          (i64.and
                            (local.tee 17
                              (i64.add
                                (local.tee 15
                                  (local.tee 14
                                    (i64.add
                                      (i64.shl
                                        (local.tee 2
                                          (local.get 15))
                                        (i64.const 2))
                                      (i64.const 1051648))))
                                (i64.load offset=145344
                                  (i32.const 2048))))
                            (i64.const -33550337))
                          (i64.const 4092))
                        (then
                          (local.set 9
                            (i64.const 458768))
                          (br 5 (;@2;))))
                      (local.set 3
                        (local.tee 16
                          (i64.load32_u
                            (i32.wrap_i64
                              (local.get 17)))))
                      (if  ;; label = @7
                        (i64.gt_u
                          (i64.and
                            (local.tee 14
                              (i64.add
                                (local.tee 16
                                  (local.tee 17
                                    (i64.add
                                      (i64.shl
                                        (local.get 2)
                                        (i64.const 2))
                                      (i64.const 1051652))))
                                (i64.load offset=145344
                                  (i32.and
                                    (i32.shr_u
                                      (i32.wrap_i64
                                        (local.get 16))
                                      (i32.const 9))
                                    (i32.const 131064)))))
                            (i64.const -33550337))
                          (i64.const 4092))
                        (then
                          (local.set 9
                            (i64.const 1376273))
                          (br 5 (;@2;))))
                      (local.set 10
                        (local.tee 15
                          (i64.load32_u
                            (i32.wrap_i64
                              (local.get 14)))))
                      (local.set 12
                        (i64.and
                          (local.tee 3
                            (local.tee 12
                              (i64.extend_i32_u
                                (i32.add
                                  (i32.wrap_i64
                                    (local.tee 11
                                      (local.get 3)))
                                  (i32.wrap_i64
                                    (local.get 10))))))
                          (i64.const 255)))
                      (local.set 11
                        (local.get 2))
                      (local.set 10
                        (i64.sub
                          (local.get 12)
                          (local.get 11)))
                      (local.set 4
                        (local.get 12))
                      (local.set 5
                        (local.get 11))
                      (local.set 6
                        (i64.const 14337))
                      (if  ;; label = @7
                        (local.tee 18
                          (i64.lt_u
                            (local.get 4)
                            (local.get 5)))
                        (then
                          (local.set 1
                            (i32.sub
                              (local.get 1)
                              (i32.const 20)))
                          (br 4 (;@3;))))
                      (i64.store offset=4096
                        (i32.const 0)
                        (local.get 2))
                      (i64.store offset=4120
                        (i32.const 0)
                        (local.get 3))
                      (i64.store offset=4288
                        (i32.const 0)
                        (local.get 4))
                      (i64.store offset=4296
                        (i32.const 0)
                        (local.get 5))
                      (i64.store offset=4592
                        (i32.const 0)
                        (local.get 6))
                      (i64.store offset=4312
                        (i32.const 0)
                        (i64.add
                          (local.get 0)
                          (i64.const 21)))
                      (i32.store offset=4324
                        (i32.const 0)
                        (i32.sub
                          (local.get 1)
                          (i32.const 20)))
                      (return
                        (i32.const 0))))
                  (i64.store offset=4096
                    (i32.const 0)
                    (local.get 2))
                  (i64.store offset=4120
                    (i32.const 0)
                    (local.get 3))
                  (i64.store offset=4288
                    (i32.const 0)
                    (local.get 4))
                  (i64.store offset=4296
                    (i32.const 0)
                    (local.get 5))
                  (i64.store offset=4592
                    (i32.const 0)
                    (local.get 6))
                  (i64.store offset=4312
                    (i32.const 0)
                    (i64.add
                      (local.get 0)
                      (i64.const 21)))
                  (i32.store offset=4324
                    (i32.const 0)
                    (i32.sub
                      (local.get 1)
                      (i32.const 15)))
                  (return
                    (i32.const 0))))
              (i64.store offset=4096
                (i32.const 0)
                (local.get 2))
              (i64.store offset=4120
                (i32.const 0)
                (local.get 3))
              (i64.store offset=4288
                (i32.const 0)
                (local.get 4))
              (i64.store offset=4296
                (i32.const 0)
                (local.get 5))
              (i64.store offset=4592
                (i32.const 0)
                (local.get 6))
              (i64.store offset=4312
                (i32.const 0)
                (i64.add
                  (local.get 0)
                  (i64.const 21)))
              (i32.store offset=4324
                (i32.const 0)
                (i32.sub
                  (local.get 1)
                  (i32.const 10)))
              (return
                (i32.const 0))))
          (i64.store offset=4096
            (i32.const 0)
            (local.get 2))
          (i64.store offset=4120
            (i32.const 0)
            (local.get 3))
          (i64.store offset=4288
            (i32.const 0)
            (local.get 4))
          (i64.store offset=4296
            (i32.const 0)
            (local.get 5))
          (i64.store offset=4592
            (i32.const 0)
            (local.get 6))
          (i64.store offset=4312
            (i32.const 0)
            (i64.add
              (local.get 0)
              (i64.const 21)))
          (i32.store offset=4324
            (i32.const 0)
            (i32.sub
              (local.get 1)
              (i32.const 5)))
          (return
            (i32.const 0)))
        (unreachable))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 2))
      (i64.store offset=4120
        (i32.const 0)
        (local.get 3))
      (i64.store offset=4288
        (i32.const 0)
        (local.get 4))
      (i64.store offset=4296
        (i32.const 0)
        (local.get 5))
      (i64.store offset=4592
        (i32.const 0)
        (local.get 6)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 9))
        (i32.const 65536))
      (then
        (local.set 20
          (i32.sub
            (i32.load offset=6642692
              (local.tee 19
                (i32.mul
                  (local.tee 18
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=6642692
          (local.get 19)
          (local.get 20))
        (if  ;; label = @2
          (i32.le_s
            (local.get 20)
            (i32.const 0))
          (then
            (i32.store offset=14264
              (i32.const 0)
              (local.get 18))))))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 9)
          (i64.const 17))))
    (i32.store offset=4324
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 9))
          (i32.const 65535))))
    (return
      (i32.const 1)))
